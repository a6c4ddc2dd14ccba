import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from app.images.limits import TimeLimits
from app.images.pool import Decoders
from app.problems import (
    IMAGE_DAMAGED,
    NOT_AN_IMAGE,
    PROBLEMS,
    TOO_COSTLY,
    TOO_MANY_PIXELS,
    UNSUPPORTED_FORMAT,
    ProblemError,
)
from tests.app.images.hostile_images import (
    FINE,
    FORMATS,
    HARMFUL,
    damaged,
    huge,
    jpeg_of_endless_scans,
    plain,
    without_pixels,
)
from tests.app.problems import require_problem

MAX_PIXELS = 100_000_000


def segment(client: TestClient, data: bytes, content_type: str = "application/octet-stream") -> httpx2.Response:
    return client.post("/segment", content=data, headers={"Content-Type": content_type})


def require_refusal(response: httpx2.Response) -> None:
    """Require that the request was refused because of its image."""
    problem = PROBLEMS[response.json()["type"].removeprefix("/problems/")]
    assert problem in (IMAGE_DAMAGED, NOT_AN_IMAGE, UNSUPPORTED_FORMAT, TOO_COSTLY, TOO_MANY_PIXELS)
    require_problem(response, problem)


@pytest.fixture(scope="module")
def lives_on(client: TestClient) -> Iterator[None]:
    """Require that the service responds after the tests as before."""
    assert segment(client, plain("JPEG")).status_code == 200
    yield
    assert segment(client, plain("JPEG")).status_code == 200


pytestmark = pytest.mark.usefixtures("lives_on")


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_image_that_says_it_is_huge_is_refused(client: TestClient, file_format: str) -> None:
    response = segment(client, huge(file_format))
    require_refusal(response)
    if file_format != "AVIF":
        assert require_problem(response, TOO_MANY_PIXELS)["detail"].startswith("the image has 65535 x 65535 = ")


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_image_without_pixels_is_refused(client: TestClient, file_format: str) -> None:
    require_problem(segment(client, without_pixels(file_format)), IMAGE_DAMAGED)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_damaged_image_is_segmented_or_refused(client: TestClient, file_format: str) -> None:
    refused = 0
    for data in damaged(file_format):
        response = segment(client, data)
        if response.status_code != 200:
            require_refusal(response)
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("name", HARMFUL)
def test_an_image_that_would_do_harm_is_refused(client: TestClient, name: str) -> None:
    require_refusal(segment(client, HARMFUL[name]()))


@pytest.mark.parametrize("name", FINE)
def test_an_odd_image_is_segmented(client: TestClient, name: str) -> None:
    response = segment(client, FINE[name]())
    assert response.status_code == 200, response.text
    assert response.content.startswith(b"\x89PNG")


@pytest.mark.parametrize("content_type", ["image/png", "image/gif", "image/tiff"])
def test_what_an_image_says_it_is_counts_and_not_what_its_sender_says(client: TestClient, content_type: str) -> None:
    assert segment(client, plain("JPEG"), content_type).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere images are decoded in the process")
@pytest.mark.parametrize("file_format", FORMATS)
def test_refusing_a_huge_image_takes_next_to_no_time_and_memory(file_format: str) -> None:
    data = huge(file_format)
    seconds, sizes = [], []
    for _ in range(3):
        decoders = Decoders(1, MAX_PIXELS)
        decoders.start()
        (process_id,) = decoders.process_ids
        own_before, before, started_s = _peak_bytes("self"), _peak_bytes(process_id), _processor_s(process_id)
        if file_format == "AVIF":  # its library refuses the file itself
            with pytest.raises(ProblemError):
                decoders.open(data)
        else:
            assert decoders.open(data).header.pixels > MAX_PIXELS
        seconds.append(_processor_s(process_id) - started_s)
        sizes.append(_peak_bytes(process_id) - before + _peak_bytes("self") - own_before)
        decoders.close()
    assert min(seconds) < 0.05
    assert max(sizes) < 20e6


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing ends it")
def test_a_jpeg_of_endless_scans_is_ended() -> None:
    failures: list[str] = []
    # On a busy machine it may take long to get a second of CPU time.
    limits = TimeLimits(image_s=1, megapixel_s=0, wall_clock_factor=60)
    decoders = Decoders(1, MAX_PIXELS, limits=limits, on_failure=failures.append)
    picture = decoders.open(jpeg_of_endless_scans())
    with pytest.raises(ProblemError, match="it took longer than 1 s"):
        decoders.decode(picture)
    assert failures == ["timed_out"]
    decoders.close()


def _peak_bytes(process: int | str) -> int:
    """Memory peak of a process in bytes; this process's own peak is reset afterwards."""
    folder = Path(f"/proc/{process}")
    status = (folder / "status").read_text()
    if process == "self":
        (folder / "clear_refs").write_text("5")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _processor_s(process_id: int) -> float:
    return int(Path(f"/proc/{process_id}/schedstat").read_text().split()[0]) / 1e9
