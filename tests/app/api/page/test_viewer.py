"""Photograph, mask and overlay on the stage."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from model.labels import VOC
from tests.app.api.page.pictures import Reference, canvas, open_image, stage
from tests.app.browser import PHONE, open_page
from tests.app.server_process import ServerProcess

CAT = 8
CAT_COLOR = (64, 0, 0)


def zoom_level(page: Page) -> float:
    return float(page.locator("#zoom-level").inner_text().removesuffix(" %"))


def place(page: Page) -> str:
    return page.locator("#under-place").inner_text()


def middle(page: Page) -> tuple[float, float]:
    box = page.locator("#stage").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_mask_is_the_services(page: Page, cat_file: Path, reference: Reference) -> None:
    open_image(page, cat_file)
    indices = reference.indices(cat_file)
    drawn = canvas(page, "mask")
    assert drawn.shape == (*indices.shape, 4)
    is_cat = indices == CAT
    assert (drawn[is_cat] == (*CAT_COLOR, 255)).all()
    assert (drawn[~is_cat][:, 3] == 0).all(), "background starts switched off"


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (301, 2), (333, 77)])
def test_masks_of_odd_sizes_are_read(
    page: Page, cat_file: Path, tmp_path: Path, reference: Reference, size: tuple[int, int]
) -> None:
    path = tmp_path / "odd.png"
    with Image.open(cat_file) as picture:
        picture.resize(size).save(path)
    open_image(page, path)
    show_all = page.get_by_role("button", name="Show all")
    if show_all.is_visible():
        show_all.click()
    colors = {entry["index"]: entry["color"] for entry in reference.classes(path)}
    expected = np.array([[(*colors[index], 255) for index in row] for row in reference.indices(path).tolist()])
    assert (canvas(page, "mask") == expected).all()


@pytest.mark.slow
def test_the_views_show_photograph_mask_and_both(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    seen = {}
    for view in ("Photograph", "Mask", "Overlay"):
        page.get_by_label(view, exact=True).check(force=True)
        height, width, _ = (picture := stage(page)).shape
        seen[view] = picture[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20].astype(float)
    assert seen["Photograph"].std() > 5
    assert (seen["Mask"] == CAT_COLOR).all()
    assert np.abs(seen["Overlay"] - (0.4 * seen["Photograph"] + 0.6 * np.array(CAT_COLOR))).max() <= 2


@pytest.mark.slow
def test_the_slider_sets_the_opacity(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    slider = page.get_by_label("Opacity")
    slider.fill("1")
    height, width, _ = (opaque := stage(page)).shape
    assert (opaque[height // 2, width // 2] == CAT_COLOR).all()
    slider.fill("0")
    clear = stage(page)
    page.get_by_label("Photograph", exact=True).check(force=True)
    assert (clear == stage(page)).all()
    expect(slider).to_be_disabled()


@pytest.mark.slow
def test_the_class_under_the_pointer_is_named(page: Page, cat_file: Path, reference: Reference) -> None:
    open_image(page, cat_file)
    page.locator("#stage").hover()
    expect(page.locator("#under-name")).to_have_text("cat")
    column, row = map(int, re.findall(r"\d+", place(page)))
    assert reference.indices(cat_file)[row, column] == CAT
    expect(page.locator("#legend .is-under")).to_contain_text("cat")
    page.get_by_role("heading", name="Classes found").hover()
    expect(page.locator("#under-name")).to_have_text("Point at the picture")
    expect(page.locator("#legend .is-under")).to_have_count(0)


@pytest.mark.slow
def test_the_class_under_the_crosshair_is_named(page: Page, cat_file: Path, reference: Reference) -> None:
    open_image(page, cat_file)
    picture = page.locator("#stage")
    picture.press("ArrowDown")
    expect(page.locator("#crosshair")).to_be_visible()
    expect(page.locator("#under-name")).to_have_text("cat")
    for _ in range(60):
        picture.press("ArrowRight")
    for _ in range(60):
        picture.press("ArrowUp")
    expect(page.locator("#under-place")).to_have_text("column 450, row 0")
    expect(page.locator("#under-name")).to_have_text("background")
    assert reference.indices(cat_file)[0, 450] == 0


@pytest.mark.slow
def test_the_wheel_zooms_where_the_pointer_is(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    fitted = zoom_level(page)
    x, y = middle(page)
    page.mouse.move(x + 101, y - 57)
    before = place(page)
    page.mouse.wheel(0, -500)
    expect(page.locator("#zoom-level")).not_to_have_text(f"{fitted:g} %")
    assert zoom_level(page) > 1.5 * fitted
    page.mouse.move(x + 100, y - 57)
    page.mouse.move(x + 101, y - 57)
    assert place(page) == before
    page.get_by_role("button", name="Fit").click()
    assert zoom_level(page) == fitted


@pytest.mark.slow
def test_dragging_moves_the_picture(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    x, y = middle(page)
    page.mouse.move(x, y)
    grabbed = place(page)
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=5)
    assert place(page) == grabbed, "the pixel goes with the pointer"
    page.mouse.up()
    page.mouse.move(x, y)
    assert place(page) != grabbed


@pytest.mark.slow
def test_the_keyboard_zooms_and_moves(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    fitted = zoom_level(page)
    picture = page.locator("#stage")
    for key in "+++":
        picture.press(key)
    assert zoom_level(page) > 2 * fitted
    x, y = middle(page)
    page.mouse.move(x, y)
    before = place(page)
    picture.press("Shift+ArrowRight")
    page.mouse.move(x + 1, y)
    page.mouse.move(x, y)
    assert place(page) != before
    picture.press("1")
    assert zoom_level(page) == 100
    picture.press("0")
    assert zoom_level(page) == fitted


@pytest.mark.slow
def test_two_fingers_zoom(browser: Browser, server: ServerProcess, cat_file: Path) -> None:
    with open_page(browser, server.url, **PHONE) as page:
        page.goto("/")
        open_image(page, cat_file)
        fitted = zoom_level(page)
        page.locator("#stage").scroll_into_view_if_needed()
        x, y = middle(page)
        touch = page.context.new_cdp_session(page)
        for kind, spread in [("touchStart", 20), ("touchMove", 30), ("touchMove", 45), ("touchMove", 60)]:
            points = [{"x": x - spread, "y": y, "id": 0}, {"x": x + spread, "y": y, "id": 1}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert zoom_level(page) == pytest.approx(3 * fitted, rel=0.1)
        page.locator("#stage").tap()
        expect(page.locator("#under-name")).to_have_text("cat")


@pytest.mark.slow
def test_a_format_that_the_browser_cannot_show_gets_its_mask(page: Page, tiff_file: Path, reference: Reference) -> None:
    open_image(page, tiff_file)
    expect(page.locator("#note")).to_contain_text("cannot show photographs of this format")
    expect(page.locator("#legend")).to_contain_text("person")
    assert (canvas(page, "mask")[..., 3] > 0).sum() == (reference.indices(tiff_file) > 0).sum()


@pytest.mark.slow
def test_a_wide_image_is_shown_smaller(page: Page, wide_file: Path, reference: Reference) -> None:
    open_image(page, wide_file)
    expect(page.locator("#note")).to_contain_text("Shown at 8192 × 97 pixels")
    assert canvas(page, "mask").shape[:2] == canvas(page, "photo").shape[:2] == (97, 8192)
    page.locator("#stage").press("ArrowRight")
    column, row = map(int, re.findall(r"\d+", place(page)))
    assert (abs(column - 4200) < 400, row) == (True, 50), "in the image's own pixels"
    name = VOC.names[reference.indices(wide_file)[row, column]]
    expect(page.locator("#under-name")).to_have_text(name)
