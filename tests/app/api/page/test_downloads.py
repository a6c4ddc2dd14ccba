"""Files that the page saves."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Download, Page

from benchmarks.waiting import wait_until
from tests.app.api.page.pictures import WORK_MS, Reference, decoded, open_image


def saved(page: Page, button: str, folder: Path) -> Path:
    """Press a button that saves a file, and return the file's path."""
    downloads: list[Download] = []
    page.once("download", lambda download: downloads.append(download))  # noqa: PLW0108 - it marks what it is given
    page.get_by_role("button", name=button).click()
    problem = page.get_by_role("alert")
    wait_until(lambda: bool(downloads) or problem.is_visible(), WORK_MS / 1000)
    assert downloads, problem.inner_text()
    path = folder / downloads[0].suggested_filename
    downloads[0].save_as(path)
    return path


def test_the_mask_is_saved(page: Page, cat_file: Path, tmp_path: Path, reference: Reference) -> None:
    open_image(page, cat_file)
    path = saved(page, "Mask PNG", tmp_path)
    assert path.name == "cat-mask.png"
    assert (decoded(path.read_bytes()) == reference.indices(cat_file)).all()


@pytest.mark.slow
def test_the_result_is_saved(page: Page, cat_file: Path, tmp_path: Path, reference: Reference) -> None:
    open_image(page, cat_file)
    path = saved(page, "Result JSON", tmp_path)
    assert path.name == "cat.json"
    document = json.loads(path.read_bytes())
    assert document["classes"] == reference.classes(cat_file)
    assert (decoded(base64.b64decode(document["mask"])) == reference.indices(cat_file)).all()


@pytest.mark.slow
def test_the_overlay_is_saved_as_it_is_seen(page: Page, cat_file: Path, tmp_path: Path, reference: Reference) -> None:
    open_image(page, cat_file)
    page.get_by_label("Opacity").fill("0.3")
    path = saved(page, "Overlay PNG", tmp_path)
    assert path.name == "cat-overlay.png"
    overlay = decoded(path.read_bytes())[..., :3].astype(float)
    # Two JPEG decoders differ slightly.
    assert np.abs(overlay - reference.overlay(cat_file, 0.3)).mean() < 1
    assert np.abs(overlay - reference.overlay(cat_file, 0)).mean() > 5


@pytest.mark.slow
def test_the_overlay_of_what_the_browser_cannot_show_is_made_by_the_service(
    page: Page, tiff_file: Path, tmp_path: Path, reference: Reference
) -> None:
    open_image(page, tiff_file)
    overlay = decoded(saved(page, "Overlay PNG", tmp_path).read_bytes())
    assert (overlay == reference.overlay(tiff_file, 0.6)).all()


@pytest.mark.slow
def test_the_overlay_of_an_image_that_is_shown_smaller_has_all_its_pixels(
    page: Page, wide_file: Path, tmp_path: Path
) -> None:
    open_image(page, wide_file)
    with Image.open(saved(page, "Overlay PNG", tmp_path)) as overlay:
        assert overlay.size == (8400, 100)
    with Image.open(saved(page, "Mask PNG", tmp_path)) as mask:
        assert mask.size == (8400, 100)
