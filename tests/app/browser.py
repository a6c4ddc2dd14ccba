"""A real browser for tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WITH_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# ReDoc requests its maker's badge, which our policy forbids; the page is complete without it.
BADGE = "https://cdn.redoc.ly/redoc/logo-mini.svg"

PHONE: dict[str, Any] = {
    "viewport": {"width": 320, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
"""Browser options that emulate a small phone."""


@contextmanager
def open_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, url: str, *others: str, **options: Any) -> Iterator[Page]:
    """Open a page; fail if it requests another origin, violates its content security policy, or a script fails.

    Args:
        browser: browser that opens the page.
        url: URL of the service.
        others: further URLs that the page may request.
        options: options of the browser's context.
    """
    context = browser.new_context(base_url=url, **{"viewport": {"width": 1280, "height": 1400}, **options})
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: failed.append(str(error)))
    try:
        yield page
    finally:
        context.close()
    foreign = [address for address in asked if not address.startswith((url, *others, "data:", "blob:", BADGE))]
    violations = [text for text in said if "Content Security Policy" in text and BADGE not in text]
    assert not foreign, "pages must work with no internet"
    assert not violations
    assert not failed
