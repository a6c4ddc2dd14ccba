"""What a person sees, in a real browser."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, expect, sync_playwright

from tests.app.server_process import ServerProcess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "cat.jpg"
KEY = "my-key"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")


# ReDoc asks for its maker's badge, which our policy forbids, and is whole without it.
BADGE = "https://cdn.redoc.ly/redoc/logo-mini.svg"


@pytest.fixture
def page(server: ServerProcess) -> Iterator[Page]:
    with open_page(server.url) as page:
        yield page


@contextmanager
def open_page(url: str, *others: str) -> Iterator[Page]:
    """A page of a browser, that asks nothing of anybody else and breaks no content security policy."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(base_url=url, viewport={"width": 1100, "height": 1400})
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        yield page
        known = (url, *others, "data:", "blob:", BADGE)
        foreign = [address for address in asked if not address.startswith(known)]
        violations = [text for text in said if "Content Security Policy" in text and BADGE not in text]
        browser.close()
        assert not foreign, "pages must work with no internet"
        assert not violations


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another origin, with a page that may do what it likes."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as files:
        threading.Thread(target=files.serve_forever).start()
        yield f"http://127.0.0.1:{files.server_port}"
        files.shutdown()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, elsewhere: str) -> Iterator[ServerProcess]:
    """A service that wants a key and lets pages from elsewhere in."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"me {hashlib.sha256(KEY.encode()).hexdigest()}\n")
    with ServerProcess(keys=keys, cors_origins=elsewhere) as server:
        yield server


def test_the_page_shows_the_mask_of_a_chosen_photograph(page: Page) -> None:
    page.goto("/")
    page.set_input_files("#file", PHOTOGRAPH)
    expect(page.locator("#status")).to_contain_text("451 × 300 pixels", timeout=30_000)
    expect(page.locator("#legend")).to_contain_text("cat")
    drawn = page.evaluate(
        "() => { const mask = document.getElementById('mask');"
        " return Array.from(mask.getContext('2d').getImageData(225, 150, 1, 1).data); }"
    )
    assert drawn == [64, 0, 0, 255]


def test_the_page_shows_problems_as_sentences(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "note.txt"
    text.write_text("no image")
    page.goto("/")
    page.set_input_files("#file", text)
    expect(page.locator("#status")).to_contain_text("Not an image", timeout=30_000)


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


def test_the_page_asks_for_a_key_where_one_is_needed(guarded: ServerProcess) -> None:
    with open_page(guarded.url) as page:
        page.goto("/")
        field = page.get_by_label("API key")
        expect(field).to_be_hidden()
        page.set_input_files("#file", PHOTOGRAPH)
        expect(page.locator("#status")).to_contain_text("A key is needed", timeout=30_000)
        field.fill(KEY)
        field.press("Enter")
        expect(page.locator("#status")).to_contain_text("451 × 300 pixels", timeout=30_000)
        expect(page.locator("#legend")).to_contain_text("cat")


def test_the_reference_sends_a_key(guarded: ServerProcess) -> None:
    with open_page(guarded.url) as page:
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
    server: ServerProcess, guarded: ServerProcess, elsewhere: str
) -> None:
    ask = """async ([url, key]) => {
        const response = await fetch(url, { headers: { "X-API-Key": key, "X-Request-ID": "elsewhere" } });
        return [response.status, response.headers.get("X-Request-ID"), Object.keys(await response.json())];
    }"""
    with open_page(elsewhere, server.url, guarded.url) as page:
        page.goto("/")
        assert page.evaluate(ask, [f"{guarded.url}/classes", KEY]) == [200, "elsewhere", ["classes"]]
        status, request_id, names = page.evaluate(ask, [f"{guarded.url}/classes", "wrong"])
        assert (status, request_id) == (401, "elsewhere")
        assert "detail" in names
        with pytest.raises(PlaywrightError, match="Failed to fetch"):
            page.evaluate(ask, [f"{server.url}/classes", ""])
