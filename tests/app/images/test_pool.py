import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.images.decode import FORMATS
from app.images.in_process import InProcessDecoder
from app.images.limits import TimeLimits
from app.images.pool import Decoders
from app.problems import DECODER_UNAVAILABLE, DRAINING, IMAGE_DAMAGED, NOT_AN_IMAGE, TOO_COSTLY
from benchmarks.process_tree import processor_seconds
from benchmarks.waiting import wait_until
from tests.app.images.crashing_decoder import STUCK_FILE
from tests.app.images.decoding import FILE, MAX_PIXELS, RAMP, decode, is_running, problem_of, require_work
from tests.model.images.encoding import encoded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere images are decoded in the process")


def resident_bytes(process_id: int, kind: str) -> int:
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))


def test_a_picture_tells_its_header_and_is_decoded_as_in_the_process(make: Callable[..., Decoders]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(RAMP), "PNG", exif=exif)
    decoders = make()
    file = decoders.open(data)
    assert (file.format, file.mode, file.height, file.width) == ("PNG", "RGB", 20, 12)
    assert file.decode_bytes > 20 * 12 * 7
    np.testing.assert_array_equal(decoders.decode(file), np.rot90(RAMP, -1))
    file.close()
    file.close()


def test_one_may_read_the_header_and_another_decode(make: Callable[..., Decoders]) -> None:
    file = make().open(FILE)
    np.testing.assert_array_equal(make(low_priority=True).decode(file), RAMP)
    file.close()


def test_pixels_outlive_picture_and_decoders() -> None:
    decoders = Decoders(1, MAX_PIXELS)
    image = decode(decoders, FILE)
    decoders.close()
    np.testing.assert_array_equal(image, RAMP)
    assert not image.flags.writeable


@pytest.mark.parametrize(
    ("does", "said"), [("segfault in header", "SIGSEGV"), ("|segfault", "SIGSEGV"), ("|abort", "SIGABRT")]
)
def test_an_image_that_crashes_its_decoder_is_refused_and_others_are_decoded(
    make: Callable[..., Decoders], does: str, said: str, failures: list[str]
) -> None:
    decoders = make()
    problem, detail = problem_of(decoders, FILE + does.encode())
    assert problem is IMAGE_DAMAGED
    assert f"the decoder crashed on it ({said})" in detail
    assert failures == ["crashed", "crashed"], "it was given a second chance"
    require_work(decoders)
    assert len(failures) == 2


@pytest.mark.parametrize("does", ["loop", "sleep"])
def test_an_image_that_takes_too_long_is_refused_and_others_are_decoded(
    make: Callable[..., Decoders], does: str, failures: list[str]
) -> None:
    decoders = make(limits=TimeLimits(image_s=1, megapixel_s=0, wall_clock_factor=2))
    problem, detail = problem_of(decoders, FILE + f"|{does}".encode())
    assert problem is IMAGE_DAMAGED
    assert "took longer than" in detail
    assert failures == ["timed_out"]
    require_work(decoders)


def test_memory_above_an_images_allowance_is_not_given(make: Callable[..., Decoders]) -> None:
    decoders = make()
    require_work(decoders)
    (process_id,) = decoders.process_ids
    before = resident_bytes(process_id, "VmHWM")
    problem, detail = problem_of(decoders, FILE + b"|allocate")
    assert problem is TOO_COSTLY
    assert "memory" in detail
    assert decoders.process_ids == [process_id], "it lives on"
    assert resident_bytes(process_id, "VmHWM") - before < 20e6
    require_work(decoders)


def test_a_decoder_that_was_killed_while_it_waited_is_replaced(
    make: Callable[..., Decoders], failures: list[str]
) -> None:
    decoders = make()
    require_work(decoders)
    (killed,) = decoders.process_ids
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_running(killed))
    require_work(decoders)
    assert decoders.process_ids != [killed]
    assert failures == []


def test_an_image_whose_decoder_was_killed_is_decoded_by_another(
    make: Callable[..., Decoders], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: list[str]
) -> None:
    stuck = tmp_path / "stuck"
    monkeypatch.setenv(STUCK_FILE, str(stuck))
    decoders = make()
    with ThreadPoolExecutor(1) as thread:
        decoding = thread.submit(decode, decoders, FILE + b"|stuck once")
        wait_until(stuck.exists)
        (killed,) = decoders.process_ids
        os.kill(killed, signal.SIGKILL)
        np.testing.assert_array_equal(decoding.result(30), RAMP)
    assert failures == ["crashed"]
    assert not is_running(killed)


def test_requests_beside_one_that_crashes_or_hangs_are_untouched(make: Callable[..., Decoders]) -> None:
    decoders = make(3, limits=TimeLimits(image_s=1, megapixel_s=0))
    with ThreadPoolExecutor(3) as threads:
        bad = [threads.submit(problem_of, decoders, FILE + does) for does in (b"|loop", b"|segfault")]
        for _ in range(20):
            require_work(decoders)
        assert [job.result(30)[0] for job in bad] == [IMAGE_DAMAGED, IMAGE_DAMAGED]


def test_more_requests_than_decoders_wait_for_their_turn(make: Callable[..., Decoders]) -> None:
    decoders = make(2)
    with ThreadPoolExecutor(8) as threads:
        for image in threads.map(lambda _: decode(decoders, FILE), range(40)):
            np.testing.assert_array_equal(image, RAMP)
    assert len(decoders.process_ids) == 2


def test_decoders_are_started_when_they_are_wanted_or_at_once(make: Callable[..., Decoders]) -> None:
    decoders = make(2)
    assert decoders.process_ids == []
    require_work(decoders)
    assert len(decoders.process_ids) == 1
    decoders.start()
    assert len(decoders.process_ids) == 2


def test_a_decoder_that_cannot_be_started_holds_nobody_up() -> None:
    decoders = Decoders(1, MAX_PIXELS, module="tests.app.no_such_module")
    for _ in range(2):
        problem, _ = problem_of(decoders, FILE)
        assert problem is DECODER_UNAVAILABLE
    decoders.close()


def test_closing_ends_decoders_and_what_they_are_at(make: Callable[..., Decoders]) -> None:
    decoders = make(2)
    decoders.start()
    ids = decoders.process_ids
    with ThreadPoolExecutor(1) as thread:
        busy = thread.submit(problem_of, decoders, FILE + b"|loop")
        wait_until(lambda: any(processor_seconds(process_id) > 0.3 for process_id in ids))
        decoders.close()
        assert busy.result(30)[0] is DRAINING
    assert not any(is_running(process_id) for process_id in ids)
    assert problem_of(decoders, FILE)[0] is DRAINING
    decoders.close()


def test_a_decoder_knows_the_formats_offered_alone_and_loads_no_framework(make: Callable[..., Decoders]) -> None:
    problem, detail = problem_of(make(), FILE + b"|tell")
    assert problem is NOT_AN_IMAGE
    assert detail == f"formats {sorted(FORMATS)}, modules []"


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "subsampling": 0}),
        ("PNG", {"compress_level": 1}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"method": 0, "lossless": True, "quality": 0}),
        ("AVIF", {"speed": 10}),
        ("HEIF", {"enc_params": {"preset": "ultrafast"}}),
    ],
)
def test_decoding_takes_no_more_memory_than_a_picture_says(
    make: Callable[..., Decoders], file_format: str, options: dict[str, object]
) -> None:
    side = 1500
    ramp = np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)
    data = encoded(Image.fromarray(np.stack([ramp, ramp.T, 255 - ramp], axis=2)), file_format, **options)
    decoders = make()
    require_work(decoders)
    (process_id,) = decoders.process_ids
    before = resident_bytes(process_id, "VmRSS")
    file = decoders.open(data)
    assert decoders.decode(file).shape == (side, side, 3)
    peak = resident_bytes(process_id, "VmHWM") - before
    assert side * side * 4 < peak < file.decode_bytes < side * side * 25
    assert resident_bytes(process_id, "VmRSS") - before < 30e6, "it gives back what it took"
    file.close()


def test_without_processes_images_are_decoded_in_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.images.pool.Decoder", InProcessDecoder)
    decoders = Decoders(2, MAX_PIXELS)
    decoders.start()
    require_work(decoders)
    assert problem_of(decoders, b"hello")[0] is NOT_AN_IMAGE
    assert decoders.process_ids == [0, 0]
    decoders.close()
    assert problem_of(decoders, FILE)[0] is DRAINING
