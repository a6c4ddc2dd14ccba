"""Error messages of the page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.api.page.conftest import KEY
from tests.app.api.page.pictures import WORK_MS, expect_size, open_image
from tests.app.browser import open_page
from tests.app.server_process import ServerProcess


def test_a_problem_is_told_in_sentences(page: Page, tmp_path: Path, cat_file: Path) -> None:
    text = tmp_path / "note.txt"
    text.write_text("no image")
    page.set_input_files("#file", text)
    problem = page.get_by_role("alert")
    expect(problem.get_by_role("heading")).to_have_text("Not an image", timeout=WORK_MS)
    detail, advice = problem.locator("p").all_inner_texts()
    assert detail[0].isupper()
    assert detail.endswith(".")
    assert advice == "Choose a file that is a JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC image."
    expect(problem.get_by_role("button")).to_have_count(0)  # a retry would not make it an image
    expect(page.locator("#workspace")).to_be_hidden()
    open_image(page, cat_file)
    expect(problem).to_be_hidden()


@pytest.mark.slow
def test_a_problem_links_to_its_description(page: Page, cat_file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(cat_file.read_bytes()[:9000])
    page.set_input_files("#file", damaged)
    expect(page.get_by_role("alert")).to_contain_text("The image is damaged", timeout=WORK_MS)
    page.get_by_role("link", name="About this kind of problem").click()
    page.wait_for_url("**/problems/image-damaged")
    expect(page.locator("body")).to_contain_text('"title":"The image is damaged"')


@pytest.mark.slow
def test_it_counts_down_until_it_may_be_tried_again(
    browser: Browser, start_server: Callable[..., ServerProcess], cat_file: Path
) -> None:
    server = start_server(rate_per_s=0.2, rate_burst=1)
    with open_page(browser, server.url) as page:
        page.goto("/")
        open_image(page, cat_file)
        page.set_input_files("#file", cat_file)
        problem = page.get_by_role("alert")
        expect(problem).to_contain_text("Too many requests")
        again = problem.get_by_role("button")
        expect(again).to_be_disabled()
        expect(again).to_have_text("Try again in 3 s", timeout=10_000)
        expect(again).to_have_text("Try again in 2 s", timeout=10_000)
        expect(again).to_be_enabled(timeout=10_000)
        again.click()
        expect(problem).to_be_hidden()
        expect(page.locator("#legend")).to_be_visible(timeout=WORK_MS)


@pytest.mark.slow
def test_a_key_is_asked_for_where_one_is_needed(browser: Browser, guarded: ServerProcess, cat_file: Path) -> None:
    with open_page(browser, guarded.url) as page:
        page.goto("/")
        field = page.get_by_label("API key")
        expect(field).to_be_hidden()
        page.set_input_files("#file", cat_file)
        expect(page.get_by_role("alert")).to_contain_text("A key is needed", timeout=WORK_MS)
        expect(field).to_be_focused()
        field.fill("wrong")
        with page.expect_response("**/segment?*"):
            field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("A key is needed", timeout=WORK_MS)
        field.fill(KEY)
        page.get_by_role("button", name="Use this key").click()
        expect_size(page, cat_file)
        expect(field).to_be_hidden()
        expect(page.locator("#known-classes li")).to_have_count(21)


@pytest.mark.slow
def test_a_service_that_is_gone_is_told_of(
    browser: Browser, start_server: Callable[..., ServerProcess], cat_file: Path
) -> None:
    server = start_server()
    with open_page(browser, server.url) as page:
        page.goto("/")
        open_image(page, cat_file)
        server.end()
        page.set_input_files("#file", cat_file)
        expect(page.get_by_role("alert")).to_contain_text("No response", timeout=WORK_MS)
        expect(page.get_by_role("button", name="Try again")).to_be_enabled()


@pytest.mark.slow
def test_what_a_proxy_says_is_no_riddle(page: Page, cat_file: Path) -> None:
    page.route("**/segment?*", lambda route: route.fulfill(status=502, body="<html>Bad gateway</html>"))
    page.set_input_files("#file", cat_file)
    expect(page.get_by_role("alert")).to_contain_text("The status of the response is 502.", timeout=WORK_MS)
    page.unroute("**/segment?*")
    page.get_by_role("button", name="Try again").click()
    expect_size(page, cat_file)


@pytest.mark.slow
def test_a_tiling_that_is_impossible_can_be_changed(
    browser: Browser, start_server: Callable[..., ServerProcess], cat_file: Path
) -> None:
    server = start_server(max_whole_pixels=1000, small_image_pixels=1000)
    with open_page(browser, server.url) as page:
        page.goto("/")
        open_image(page, cat_file)
        page.get_by_label("Tiling").select_option("whole")
        page.get_by_role("button", name="Segment again").click()
        expect(page.get_by_role("alert")).to_contain_text("Choose the tiling “auto”", timeout=WORK_MS)
        page.get_by_label("Tiling").select_option("auto")
        page.get_by_role("button", name="Segment again").click()
        expect_size(page, cat_file)
