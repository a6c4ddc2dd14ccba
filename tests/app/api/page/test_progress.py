"""The page while an image is being segmented."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.waiting import wait_until
from tests.app.api.page.pictures import expect_size, open_image
from tests.app.server_process import ServerProcess

pytestmark = pytest.mark.slow


def abandoned(server: ServerProcess) -> float:
    with server.client() as client:
        match = re.search(r"^fcn_client_disconnects_total (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert match
    return float(match[1])


def slow_down(page: Page, bytes_per_s: int) -> None:
    """Limit the page's upload speed."""
    network = page.context.new_cdp_session(page)
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s}
    network.send("Network.emulateNetworkConditions", conditions)


def test_it_shows_that_work_goes_on_and_for_how_long(page: Page, big_file: Path) -> None:
    page.set_input_files("#file", big_file)
    expect(page.locator("#status")).to_have_text("Segmenting …", timeout=30_000)
    expect(page.locator("#progress-bar")).not_to_have_attribute("value", re.compile(""))
    elapsed = page.locator("#elapsed")
    expect(elapsed).to_have_text(re.compile(r"^\d+\.\d s$"))
    first = float(elapsed.inner_text().removesuffix(" s"))
    wait_until(lambda: float(elapsed.inner_text().removesuffix(" s")) > first)
    page.get_by_role("button", name="Cancel").click()


def test_it_shows_how_much_has_been_sent(page: Page, big_file: Path) -> None:
    slow_down(page, big_file.stat().st_size // 4)
    page.set_input_files("#file", big_file)
    expect(page.locator("#status")).to_have_text("Sending big.tif …")
    bar = page.locator("#progress-bar")
    wait_until(lambda: 0 < float(bar.get_attribute("value") or 0) < 1)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_contain_text("Cancelled")


def test_cancel_stops_the_services_work(page: Page, server: ServerProcess, big_file: Path, cat_file: Path) -> None:
    before = abandoned(server)
    page.set_input_files("#file", big_file)
    expect(page.locator("#status")).to_have_text("Segmenting …", timeout=30_000)
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.locator("#status")).to_contain_text("Cancelled")
    expect(page.locator("#progress")).to_be_hidden()
    wait_until(lambda: abandoned(server) == before + 1)
    expect(page.get_by_role("button", name="Segment it after all")).to_be_focused()
    open_image(page, cat_file)
    expect(page.get_by_role("button", name="Segment it after all")).to_be_hidden()


def test_what_was_cancelled_is_done_after_all(page: Page, big_file: Path) -> None:
    page.set_input_files("#file", big_file)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Segment it after all").click()
    expect_size(page, big_file)


def test_another_image_takes_the_place_of_one_in_work(
    page: Page, server: ServerProcess, big_file: Path, cat_file: Path
) -> None:
    before = abandoned(server)
    page.set_input_files("#file", big_file)
    expect(page.locator("#status")).to_have_text("Segmenting …", timeout=30_000)
    open_image(page, cat_file)
    wait_until(lambda: abandoned(server) == before + 1)
    expect(page.locator("#command")).to_contain_text("@cat.jpg")


def test_the_time_of_each_stage_is_told(page: Page, cat_file: Path) -> None:
    with page.expect_response("**/segment?*") as response:
        open_image(page, cat_file)
    timing = response.value.headers["server-timing"]
    stages = dict(re.findall(r"(\w+);dur=([\d.]+)", timing))
    assert {"queue", "decode", "forward"} < stages.keys()
    rows = page.locator("#timing tr")
    expect(rows).to_have_count(len(stages) + 1)
    network = rows.filter(has_text="Network").inner_text()
    assert float(re.findall(r"[\d.]+", network)[0]) * (1000 if network.endswith(" s") else 1) == pytest.approx(
        float(stages["forward"]), abs=10
    )
    expect(page.locator("#total")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    assert page.locator("#total").inner_text() in page.locator("#status").inner_text()
