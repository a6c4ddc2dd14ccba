"""The rendered HTTP reference, and what pages of other origins may do, in a real browser."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import Error as PlaywrightError

from tests.app.browser import WITH_BROWSER, open_browser, open_page
from tests.app.server_process import ForkedServer, ServerProcess

PHOTOGRAPH = Path(__file__).parents[3] / "examples" / "cat.jpg"
KEY = "my-key"

pytestmark = WITH_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    with open_page(browser, server.url) as page:
        yield page


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another origin, with a page that has no restrictions of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as files:
        threading.Thread(target=files.serve_forever).start()
        yield f"http://127.0.0.1:{files.server_port}"
        files.shutdown()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, elsewhere: str) -> Iterator[ServerProcess]:
    """A service that requires an API key and allows pages of the other origin."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"me {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    with ForkedServer(api_keys_file=keys, cors_origins=elsewhere) as server:
        yield server


def test_try_it_out_works_with_a_file(page: Page) -> None:
    page.goto("/docs")
    page.locator("#operations-segmentation-segment_segment_post .opblock-summary").click()
    operation = page.locator("#operations-segmentation-segment_segment_post")
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("input[type=file]").set_input_files(PHOTOGRAPH)
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status")).to_contain_text("200", timeout=30_000)
    picture = operation.locator(".live-responses-table img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 451


def test_redoc_shows_the_reference(page: Page) -> None:
    page.goto("/redoc")
    expect(page.get_by_role("heading", name="Segment an image").first).to_be_visible(timeout=30_000)


def test_the_reference_sends_a_key(browser: Browser, guarded: ServerProcess) -> None:
    with open_page(browser, guarded.url) as page:
        page.goto("/docs")
        page.get_by_role("button", name="Authorize").first.click()
        dialog = page.locator(".dialog-ux")
        dialog.get_by_label("auth-bearer-value").fill(KEY)
        dialog.get_by_role("button", name="Apply credentials").first.click()
        dialog.get_by_role("button", name="Close").first.click()
        operation = page.locator("#operations-about-classes_classes_get")
        operation.locator(".opblock-summary").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        status = operation.locator(".live-responses-table tbody .response-col_status")
        expect(status).to_contain_text("200", timeout=30_000)


def test_a_page_elsewhere_reads_answers_and_errors_if_its_origin_is_let_in(
    browser: Browser, server: ServerProcess, guarded: ServerProcess, elsewhere: str
) -> None:
    ask = """async ([url, key]) => {
        const response = await fetch(url, { headers: { "X-API-Key": key, "X-Request-ID": "elsewhere" } });
        return [response.status, response.headers.get("X-Request-ID"), Object.keys(await response.json())];
    }"""
    with open_page(browser, elsewhere, server.url, guarded.url) as page:
        page.goto("/")
        assert page.evaluate(ask, [f"{guarded.url}/classes", KEY]) == [200, "elsewhere", ["classes"]]
        status, request_id, names = page.evaluate(ask, [f"{guarded.url}/classes", "wrong"])
        assert (status, request_id) == (401, "elsewhere")
        assert "detail" in names
        with pytest.raises(PlaywrightError, match="Failed to fetch"):
            page.evaluate(ask, [f"{server.url}/classes", ""])
