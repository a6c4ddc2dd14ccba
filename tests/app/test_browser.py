"""What a person sees, in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.app.server_process import ServerProcess

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "cat.jpg"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install the package chromium")


@pytest.fixture
def page(server: ServerProcess) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(base_url=server.url, viewport={"width": 1100, "height": 1400})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        yield page
        # ReDoc asks for its maker's badge, and is whole without it.
        known = (server.url, "data:", "blob:", "https://cdn.redoc.ly/redoc/logo-mini.svg")
        foreign = [url for url in asked if not url.startswith(known)]
        browser.close()
        assert not foreign, "pages must work with no internet"


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
