"""The page's curl command for a shell."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.app.api.page.conftest import KEY
from tests.app.api.page.pictures import Reference, decoded, expect_size, open_image
from tests.app.browser import open_page
from tests.app.server_process import ServerProcess
from tests.programs import needs

pytestmark = [pytest.mark.slow, needs("bash", "curl")]


def run(command: str, folder: Path, **environment: str) -> None:
    shell = ["bash", "-c", f"{command} --fail --silent --show-error"]
    subprocess.run(shell, cwd=folder, env={**os.environ, **environment}, check=True, timeout=60)


def copied(page: Page) -> str:
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copied")).to_have_text("The command is on the clipboard.")
    text: str = page.evaluate("() => navigator.clipboard.readText()")
    assert text == page.locator("#command").inner_text()
    return text


@pytest.mark.parametrize("name", ["cat.jpg", "my cat; 1,2.jpg", 'it\'s "$HOME" \\ cat.jpg', "-cat.jpg"])
def test_the_copied_command_works_whatever_the_files_name(
    page: Page, cat_file: Path, tmp_path: Path, reference: Reference, name: str
) -> None:
    shutil.copy(cat_file, tmp_path / name)
    open_image(page, tmp_path / name)
    run(copied(page), tmp_path)
    (mask,) = tmp_path.glob("*-mask.png")
    assert mask.name == f"{name.removesuffix('.jpg')}-mask.png"
    assert (decoded(mask.read_bytes()) == reference.indices(cat_file)).all()


def test_it_is_for_the_answer_that_is_chosen(page: Page, cat_file: Path, tmp_path: Path, reference: Reference) -> None:
    shutil.copy(cat_file, tmp_path)
    open_image(page, cat_file)
    page.get_by_label("Answer").select_option("json")
    run(copied(page), tmp_path)
    assert json.loads((tmp_path / "cat.json").read_bytes())["classes"] == reference.classes(cat_file)
    page.get_by_label("Answer").select_option("overlay")
    page.get_by_label("Opacity").fill("0.25")
    run(copied(page), tmp_path)
    assert (decoded((tmp_path / "cat-overlay.png").read_bytes()) == reference.overlay(cat_file, 0.25)).all()


def test_the_page_asks_with_the_tiling_that_the_command_shows(page: Page, cat_file: Path) -> None:
    open_image(page, cat_file)
    page.get_by_label("Tiling").select_option("overlap")
    expect(page.locator("#command")).to_contain_text("tiling=overlap")
    with page.expect_request("**/segment?*tiling=overlap*"):
        page.get_by_role("button", name="Segment again").click()
    expect_size(page, cat_file)


def test_the_key_is_never_in_the_command(
    browser: Browser, guarded: ServerProcess, cat_file: Path, tmp_path: Path
) -> None:
    shutil.copy(cat_file, tmp_path)
    with open_page(browser, guarded.url) as page:
        page.goto("/")
        page.set_input_files("#file", cat_file)
        page.get_by_label("API key").fill(KEY)
        page.get_by_label("API key").press("Enter")
        expect_size(page, cat_file)
        command = page.locator("#command").inner_text()
    assert KEY not in command
    run(command, tmp_path, FCN_API_KEY=KEY)
    assert decoded((tmp_path / "cat-mask.png").read_bytes()).shape == (300, 451)
