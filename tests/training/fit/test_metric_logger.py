import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.fit.metric_logger import LOG_NAME, MetricLogger, read_log


def _write(folder: Path, steps: range, resumed_at: int = 0) -> None:
    with MetricLogger(folder, resumed_at, tensorboard=False) as logger:
        for step in steps:
            logger.write(step, {"loss": 1 / step})
        logger.draw()


def test_each_record_is_a_line(tmp_path: Path) -> None:
    _write(tmp_path, range(1, 4))
    lines = (tmp_path / LOG_NAME).read_text().splitlines()
    records = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}, {"step": 3, "loss": 1 / 3}]
    assert [json.loads(line) for line in lines] == records
    assert read_log(tmp_path / LOG_NAME) == records


def test_a_record_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    with MetricLogger(tmp_path, 0, tensorboard=False) as logger:
        logger.write(20, {"loss": 2.5})
        assert read_log(tmp_path / LOG_NAME) == [{"step": 20, "loss": 2.5}]


def test_a_resumed_run_drops_records_of_later_steps(tmp_path: Path) -> None:
    _write(tmp_path, range(1, 8))
    _write(tmp_path, range(5, 7), resumed_at=4)
    assert [record["step"] for record in read_log(tmp_path / LOG_NAME)] == [1, 2, 3, 4, 5, 6]


def test_a_run_that_starts_anew_drops_all_records(tmp_path: Path) -> None:
    _write(tmp_path, range(1, 8))
    _write(tmp_path, range(1, 2))
    assert [record["step"] for record in read_log(tmp_path / LOG_NAME)] == [1]


@pytest.mark.parametrize("cut", [1, 5, 15])
def test_a_last_line_that_was_cut_short_is_left_out_and_does_not_spoil_the_next(cut: int, tmp_path: Path) -> None:
    _write(tmp_path, range(1, 4))
    file = tmp_path / LOG_NAME
    file.write_text(file.read_text().rstrip("\n")[:-cut])
    assert [record["step"] for record in read_log(file)] == [1, 2]
    _write(tmp_path, range(3, 5), resumed_at=3)
    assert [record["step"] for record in read_log(file)] == [1, 2, 3, 4]


def test_there_is_no_record_where_there_is_no_log(tmp_path: Path) -> None:
    assert read_log(tmp_path / LOG_NAME) == []


def test_the_curves_show_what_was_written_before_a_resume_too(tmp_path: Path) -> None:
    pictures = []
    for folder, again in ((tmp_path / "one", 1), (tmp_path / "two", 3)):
        folder.mkdir()
        _write(folder, range(1, 5))
        _write(folder, range(again + 1, 5), resumed_at=again)
        with Image.open(folder / "curves.png") as picture:
            pictures.append(np.array(picture.convert("RGB")))
    np.testing.assert_array_equal(pictures[0], pictures[1])
    _write(tmp_path / "one", range(0))
    with Image.open(tmp_path / "one" / "curves.png") as picture:
        assert (np.array(picture.convert("RGB")) != pictures[0]).any()


def test_a_process_that_does_not_lead_writes_nothing(tmp_path: Path) -> None:
    with MetricLogger(tmp_path, 0, tensorboard=True, writes=False) as logger:
        logger.write(1, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []


def test_event_files_of_tensorboard_are_written_on_request(tmp_path: Path) -> None:
    with MetricLogger(tmp_path, 0, tensorboard=True) as logger:
        logger.write(1, {"loss": 0.5, "val_miou": 0.25})
    (file,) = (tmp_path / "tensorboard").iterdir()
    assert file.name.startswith("events.out.tfevents.")
    content = file.read_bytes()
    assert b"loss" in content
    assert b"val_miou" in content
