"""The legend: found classes, their shares, switching them on and off."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.app.api.page.pictures import Reference, canvas, open_image


def alphas(page: Page, where: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> set[int]:
    return set(canvas(page, "mask")[where][:, 3].tolist())


def test_it_tells_colour_and_share_of_each_class(page: Page, astronaut_file: Path, reference: Reference) -> None:
    open_image(page, astronaut_file)
    classes = sorted(reference.classes(astronaut_file), key=lambda entry: -int(entry["pixels"]))
    entries = page.locator("#legend li")
    expect(entries).to_have_count(len(classes))
    assert len(classes) > 2
    for position, entry in enumerate(classes):
        expect(entries.nth(position)).to_contain_text(entry["name"])
        expect(entries.nth(position)).to_contain_text(f"{100 * entry['fraction']:.1f} %")
        red, green, blue = entry["color"]
        expect(entries.nth(position).locator(".swatch")).to_have_css("background-color", f"rgb({red}, {green}, {blue})")


@pytest.mark.slow
def test_a_class_is_switched_off_and_on_with_the_keyboard(
    page: Page, astronaut_file: Path, reference: Reference
) -> None:
    open_image(page, astronaut_file)
    is_person = reference.indices(astronaut_file) == 15
    assert alphas(page, is_person) == {255}
    switch = page.get_by_role("checkbox", name="person")
    switch.press("Space")
    expect(switch).not_to_be_checked()
    assert alphas(page, is_person) == {0}
    switch.press("Space")
    switch.blur()
    assert alphas(page, is_person) == {255}


@pytest.mark.slow
def test_the_focused_class_stands_out(page: Page, astronaut_file: Path, reference: Reference) -> None:
    open_image(page, astronaut_file)
    indices = reference.indices(astronaut_file)
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Tab")
    largest = int(np.bincount(indices.ravel()).argmax())
    if largest != 15:  # the legend begins with the largest class
        page.keyboard.press("Tab")
    expect(page.get_by_role("checkbox", name="person")).to_be_focused()
    assert alphas(page, indices == 15) == {255}
    (dimmed,) = alphas(page, (indices != 15) & (indices != 0))
    assert 0 < dimmed < 128


@pytest.mark.slow
def test_all_classes_are_shown_and_hidden_at_once(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    everywhere = np.ones((300, 451), dtype=np.bool_)
    page.get_by_role("button", name="Show all").click()
    assert alphas(page, everywhere) == {255}
    page.get_by_role("button", name="Hide all").click()
    assert alphas(page, everywhere) == {0}
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
