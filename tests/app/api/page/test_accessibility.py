"""Accessibility of the page: keyboard, screen reader, phone, dark mode."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.app.api.page.pictures import WORK_MS, expect_size, open_image
from tests.app.browser import PHONE, open_page
from tests.app.server_process import ServerProcess

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": PHONE,
    "dark phone": {**PHONE, "color_scheme": "dark"},
}

# The outline of the control itself, or of the label that represents it.
HAS_OUTLINE = """(control) => [control, control.nextElementSibling].some((element) => {
    const { outlineStyle, outlineWidth } = element ? getComputedStyle(element) : {};
    return outlineStyle === "solid" && parseFloat(outlineWidth) > 1;
})"""


def show_result(page: Page, examples: Path) -> None:
    open_image(page, examples / "astronaut.jpg")


def show_problem(page: Page, examples: Path) -> None:
    page.set_input_files("#file", examples / "picture.py")
    expect(page.get_by_role("alert")).to_be_visible(timeout=WORK_MS)


def show_progress(page: Page, examples: Path) -> None:
    page.route("**/segment?*", lambda route: None)  # no response
    page.set_input_files("#file", examples / "cat.jpg")
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()


def show_question_for_key(page: Page, examples: Path) -> None:
    problem = '{"type": "/problems/unauthorized", "title": "A key is needed", "detail": "send a key"}'
    page.route("**/segment?*", lambda route: route.fulfill(status=401, body=problem))
    page.set_input_files("#file", examples / "cat.jpg")
    expect(page.get_by_label("API key")).to_be_visible()


def show_start(page: Page, examples: Path) -> None:
    expect(page.locator("#known")).to_be_visible()


STATES = [show_start, show_result, show_problem, show_progress, show_question_for_key]


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("show", STATES)
def test_axe_finds_nothing_serious(
    browser: Browser, server: ServerProcess, examples: Path, look: str, show: Callable[[Page, Path], None]
) -> None:
    # axe is not part of the page: the content security policy would block it.
    with open_page(browser, server.url, bypass_csp=True, **LOOKS[look]) as page:
        page.goto("/")
        show(page, examples)
        violations = Axe().run(page).response["violations"]
    found = [(it["id"], [node["html"] for node in it["nodes"]]) for it in violations if it["impact"] != "minor"]
    assert not found


@pytest.mark.slow
def test_axe_would_find_something(page: Page) -> None:
    page.evaluate("() => { document.querySelector('label[for=file]').remove(); document.documentElement.lang = ''; }")
    assert Axe().run(page).response["violations"]


@pytest.mark.slow
@pytest.mark.parametrize("show", STATES)
def test_nothing_is_wider_than_a_small_phone(
    browser: Browser, server: ServerProcess, examples: Path, show: Callable[[Page, Path], None]
) -> None:
    with open_page(browser, server.url, **PHONE) as page:
        page.goto("/")
        show(page, examples)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 320


def test_everything_is_reached_with_the_keyboard(page: Page, cat_file: Path) -> None:
    sample = page.get_by_role("button", name="A cat")
    press_until_focused(page, sample)
    page.keyboard.press("Enter")
    expect_size(page, cat_file)
    for control in (
        page.get_by_label("Overlay", exact=True),
        page.get_by_label("Opacity"),
        page.get_by_role("button", name="Zoom in"),
        page.locator("#stage"),
        page.get_by_role("checkbox", name="cat"),
        page.get_by_role("button", name="Mask PNG"),
        page.get_by_role("button", name="Copy"),
        page.get_by_label("Tiling"),
    ):
        press_until_focused(page, control)


def press_until_focused(page: Page, control: Any) -> None:
    """Press Tab until a control has the focus, and require that it is visible."""
    for _ in range(30):
        if control.evaluate("(element) => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(control).to_be_focused()
    assert control.evaluate(HAS_OUTLINE), "whoever uses the keyboard must see where it is"


@pytest.mark.slow
def test_the_view_is_changed_with_the_keyboard(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    page.get_by_label("Overlay", exact=True).press("ArrowRight")
    expect(page.get_by_label("Photograph", exact=True)).to_be_checked()
    expect(page.locator("#mask")).to_have_css("visibility", "hidden")


@pytest.mark.slow
def test_the_skip_link_leads_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="To the content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


@pytest.mark.slow
def test_screen_readers_hear_of_the_work_and_of_the_class(page: Page, cat_file: Path) -> None:
    status = page.get_by_role("status").first
    open_image(page, cat_file)
    expect(status).to_contain_text("Found cat.")
    expect(page.locator("#under-name")).to_have_attribute("aria-live", "polite")
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)


@pytest.mark.slow
@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "sweep")])
def test_nothing_moves_for_those_who_want_it_so(
    browser: Browser, server: ServerProcess, big_file: Path, motion: str, animation: str
) -> None:
    with open_page(browser, server.url, reduced_motion=motion) as page:
        page.goto("/")
        page.set_input_files("#file", big_file)
        expect(page.locator("#status")).to_have_text("Segmenting …", timeout=WORK_MS)
        expect(page.locator("#progress-bar")).to_have_css("animation-name", animation)


@pytest.mark.slow
def test_it_is_dark_where_that_is_liked(browser: Browser, server: ServerProcess) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with open_page(browser, server.url, color_scheme=scheme) as page:
            page.goto("/")
            grounds.append(page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor"))
    assert grounds == ["rgb(244, 246, 248)", "rgb(15, 19, 23)"]
