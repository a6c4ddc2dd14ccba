"""Ways to load an image into the page."""

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.api.page.pictures import WORK_MS, expect_size, open_image
from tests.app.browser import PHONE, open_page
from tests.app.server_process import ServerProcess

TRANSFER = """([bytes, name]) => {
    const content = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([content], name, { type: "image/jpeg" }));
    return transfer;
}"""

COPY_PICTURE = """async (address) => {
    const bitmap = await createImageBitmap(await (await fetch(address)).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    await navigator.clipboard.write([new ClipboardItem({ "image/png": await canvas.convertToBlob() })]);
}"""


@pytest.mark.slow
def test_a_photograph_is_chosen(page: Page, cat_file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_label("Choose an image").click()
    chooser.value.set_files(cat_file)
    expect_size(page, cat_file)
    expect(page.locator("#legend")).to_contain_text("cat")


@pytest.mark.slow
def test_the_same_photograph_is_chosen_twice(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    with page.expect_response("**/segment?*"):
        page.set_input_files("#file", cat_file)
    expect_size(page, cat_file)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "found"), [("A cat", "Found cat"), ("An astronaut", "person")])
def test_a_sample_is_tried(page: Page, name: str, found: str) -> None:
    page.get_by_role("button", name=name).click()
    expect(page.locator("#status")).to_contain_text(found, timeout=WORK_MS)


def test_a_photograph_is_dropped_anywhere(page: Page, cat_file: Path) -> None:
    transfer = page.evaluate_handle(TRANSFER, [base64.b64encode(cat_file.read_bytes()).decode(), "dropped.jpg"])
    footer = page.locator("footer")
    footer.dispatch_event("dragover", {"dataTransfer": transfer})
    expect(page.locator("#veil")).to_be_visible()
    footer.dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.locator("#veil")).to_be_hidden()
    expect_size(page, cat_file)
    expect(page.locator("#command")).to_contain_text("@dropped.jpg")


@pytest.mark.slow
def test_a_photograph_is_pasted(page: Page, cat_file: Path) -> None:
    page.evaluate(COPY_PICTURE, "static/samples/cat.jpg")
    page.keyboard.press("Control+V")
    expect_size(page, cat_file)


@pytest.mark.slow
def test_a_photograph_is_taken(browser: Browser, server: ServerProcess, cat_file: Path) -> None:
    with open_page(browser, server.url, **PHONE) as page:
        page.goto("/")
        camera = page.get_by_label("Take a photograph")
        expect(camera).to_have_attribute("capture", "environment")
        with page.expect_file_chooser() as chooser:
            camera.tap()
        chooser.value.set_files(cat_file)
        expect_size(page, cat_file)


@pytest.mark.slow
def test_the_page_says_which_classes_there_are(page: Page) -> None:
    page.get_by_text("The 21 classes that the network knows").wait_for()
    expect(page.locator("#known-classes li")).to_have_count(21)
    expect(page.locator("#known-classes")).to_contain_text("tvmonitor")


@pytest.mark.slow
def test_the_page_works_under_a_path(browser: Browser, server: ServerProcess, cat_file: Path) -> None:
    with open_page(browser, server.url) as page:
        # Acts as a proxy that serves the service under a path, and strips it.
        page.route("**/masks/**", lambda route: route.continue_(url=route.request.url.replace("/masks/", "/")))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/masks/")
        page.get_by_role("button", name="A cat").click()
        expect_size(page, cat_file)
        expect(page.locator("#command")).to_contain_text(f"{server.url}/masks/segment")
        assert all(address.startswith(f"{server.url}/masks/") for address in asked)
