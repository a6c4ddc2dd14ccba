import gc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.checkpoint import Checkpoint, Golden, Summary
from model.errors import CheckpointError
from model.fastest import load_fastest
from model.precision import Precision
from model.precision_choice import Candidates, explain, fastest, find_candidates, measure
from model.segmentation import Segmentation
from model.segmenter import Segmenter
from tests.model.calibrated import calibrated
from tests.model.random_checkpoint import random_checkpoint

CPU = torch.device("cpu")
FLOAT32, BFLOAT16, INT8 = Precision.FLOAT32, Precision.BFLOAT16, Precision.INT8
EQUAL = {"made/val": 0.5, "other/val": 0.25}


@pytest.fixture
def cpu_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.precision_choice.available_precisions", lambda _: (FLOAT32, BFLOAT16, INT8))


def _scored(scores: dict[str, dict[str, float]], *, ranges: bool = True) -> Checkpoint:
    checkpoint = random_checkpoint()
    return replace(
        checkpoint, summary=Summary(precision_scores=scores), activation_ranges=((0.0, 1.0),) if ranges else ()
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({}, FLOAT32),
        ({FLOAT32: 1.0}, FLOAT32),
        ({FLOAT32: 1.0, BFLOAT16: 0.95}, FLOAT32),  # too little faster
        ({FLOAT32: 1.0, BFLOAT16: 0.5}, BFLOAT16),
        ({FLOAT32: 1.0, BFLOAT16: 0.5, INT8: 0.48}, BFLOAT16),
        ({FLOAT32: 1.0, BFLOAT16: 0.5, INT8: 0.3}, INT8),
        ({INT8: 0.3, BFLOAT16: 0.5, FLOAT32: 1.0}, INT8),  # compared in the order of the precisions
        ({FLOAT32: 1.0, BFLOAT16: 3.0, INT8: 0.8}, INT8),
        ({FLOAT32: 1.0, INT8: 1.5}, FLOAT32),
    ],
)
def test_a_precision_is_taken_only_if_it_is_clearly_faster(
    seconds: dict[Precision, float], expected: Precision
) -> None:
    assert fastest(seconds) is expected


@pytest.mark.usefixtures("cpu_of_all")
def test_candidates_lose_no_more_than_the_tolerance_on_any_list() -> None:
    scores = {
        "float32": EQUAL,
        "bfloat16": {"made/val": 0.495, "other/val": 0.26},
        "int8": {"made/val": 0.6, "other/val": 0.2449},
    }
    candidates = find_candidates(_scored(scores), CPU, tolerance=0.005)
    assert candidates == Candidates((FLOAT32, BFLOAT16), {INT8: "it loses 0.0051 mIoU on other/val"})
    assert find_candidates(_scored(scores), CPU, tolerance=0.006).precisions == (FLOAT32, BFLOAT16, INT8)
    assert find_candidates(_scored(scores), CPU, tolerance=0).precisions == (FLOAT32,)


@pytest.mark.usefixtures("cpu_of_all")
@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"bfloat16": EQUAL, "int8": EQUAL},
        {"float32": EQUAL, "bfloat16": {"made/val": 0.5}, "int8": {}},
        {"float32": EQUAL, "bfloat16": dict.fromkeys(EQUAL, float("nan")), "int8": dict.fromkeys(EQUAL, float("nan"))},
    ],
)
def test_what_was_not_scored_as_float32_was_is_no_candidate(scores: dict[str, dict[str, float]]) -> None:
    assert find_candidates(_scored(scores), CPU).precisions == (FLOAT32,)


@pytest.mark.usefixtures("cpu_of_all")
def test_int8_without_ranges_is_no_candidate() -> None:
    scores = {"float32": EQUAL, "bfloat16": EQUAL, "int8": EQUAL}
    candidates = find_candidates(_scored(scores, ranges=False), CPU)
    assert candidates == Candidates((FLOAT32, BFLOAT16), {INT8: "the checkpoint has no ranges for it"})


def test_what_the_device_lacks_is_no_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.precision_choice.available_precisions", lambda _: (FLOAT32,))
    candidates = find_candidates(_scored({"float32": EQUAL, "bfloat16": EQUAL, "int8": EQUAL}), CPU)
    why = "device 'cpu' does not support it"
    assert candidates == Candidates((FLOAT32,), {BFLOAT16: why, INT8: why})
    assert explain(candidates, {}) == f"no bfloat16: {why}; no int8: {why}"


def test_the_reason_names_what_was_measured() -> None:
    reason = explain(Candidates((FLOAT32, BFLOAT16), {INT8: "why"}), {FLOAT32: 0.0761, BFLOAT16: 0.036})
    assert reason == "measured on a photograph: float32 76 ms, bfloat16 36 ms; no int8: why"


def test_what_counts_is_the_least_of_three_by_the_clock_that_is_given() -> None:
    now, left = 0.0, iter((4.4, 0.6, 0.9))

    def predict() -> None:
        nonlocal now
        now += next(left)

    assert measure(predict, lambda: now) == pytest.approx(0.6)
    assert next(left, None) is None


@pytest.fixture
def scored_file(tmp_path: Path) -> Path:
    """A checkpoint file with equal scores in all precisions, and the golden mask of float32."""
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    checkpoint = calibrated(random_checkpoint().compressed(), image)
    mask = Segmenter(checkpoint, "cpu").segment(image).mask
    summary = Summary(precision_scores={"float32": EQUAL, "bfloat16": EQUAL, "int8": EQUAL})
    file = tmp_path / "scored.safetensors"
    replace(checkpoint, golden=Golden(image, mask), summary=summary).save(file)
    return file


def _only_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the only candidate beside float32 one that every machine supports."""
    candidates = Candidates((FLOAT32, Precision.FLOAT64), {})
    monkeypatch.setattr("model.fastest.find_candidates", lambda *_: candidates)
    monkeypatch.setattr("model.precision_choice._ORDER", candidates.precisions)


def test_what_is_measured_to_be_faster_is_loaded(scored_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_float64(monkeypatch)
    seconds = iter((0.5, 0.25))
    monkeypatch.setattr("model.fastest.measure", lambda *_: next(seconds))
    segmenter, measured = load_fastest(scored_file, "cpu")
    assert segmenter.precision is Precision.FLOAT64
    assert segmenter.precision_reason == "measured on a photograph: float32 500 ms, float64 250 ms"
    assert measured == {FLOAT32: 0.5, Precision.FLOAT64: 0.25}


def test_one_thread_is_measured_and_all_serve(scored_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_float64(monkeypatch)
    threads = []
    segment = Segmenter.segment

    def observed(segmenter: Segmenter, image: NDArray[np.uint8]) -> Segmentation:
        threads.append(torch.get_num_threads())
        return segment(segmenter, image)

    monkeypatch.setattr(Segmenter, "segment", observed)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        load_fastest(scored_file, "cpu")
        assert threads == [2, 1, 1, 1] * 2  # the golden image, then a photograph
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_precisions_that_were_not_taken_are_gone(scored_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_float64(monkeypatch)
    made: list[weakref.ref[Segmenter]] = []
    check = Segmenter.require_golden_mask

    def observed(segmenter: Segmenter, path: Path) -> None:
        made.append(weakref.ref(segmenter))
        check(segmenter, path)

    monkeypatch.setattr(Segmenter, "require_golden_mask", observed)
    gc.disable()
    try:
        segmenter, _ = load_fastest(scored_file, "cpu")
        assert [one() for one in made if one() is not None] == [segmenter]
        assert len(made) == 2
    finally:
        gc.enable()


def test_what_was_measured_once_is_not_measured_again(scored_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only_float64(monkeypatch)
    monkeypatch.setattr("model.fastest.measure", lambda *_: pytest.fail("measured again"))
    segmenter, _ = load_fastest(scored_file, "cpu", seconds={FLOAT32: 0.5, Precision.FLOAT64: 0.25})
    assert segmenter.precision is Precision.FLOAT64
    segmenter, _ = load_fastest(scored_file, "cpu", seconds={})
    assert segmenter.precision is FLOAT32
    assert segmenter.precision_reason == "no float64: it was not measured at the start"


def test_a_candidate_that_gives_another_golden_mask_is_passed_over(
    scored_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_float64(monkeypatch)
    check = Segmenter.require_golden_mask

    def fail_in_float64(segmenter: Segmenter, path: Path) -> None:
        if segmenter.precision is Precision.FLOAT64:
            raise CheckpointError("its golden image's mask differs")
        check(segmenter, path)

    monkeypatch.setattr(Segmenter, "require_golden_mask", fail_in_float64)
    segmenter, seconds = load_fastest(scored_file, "cpu")
    assert segmenter.precision is FLOAT32
    assert seconds.keys() == {FLOAT32}
    assert segmenter.precision_reason.endswith("; no float64: its golden image's mask differs")


def test_a_file_without_scores_by_precision_is_loaded_in_float32(scored_file: Path) -> None:
    replace(Checkpoint.load(scored_file), summary=Summary()).save(scored_file)
    segmenter, seconds = load_fastest(scored_file, "cpu")
    assert (segmenter.precision, seconds) == (FLOAT32, {})


def test_damaged_weights_are_refused_in_float32(scored_file: Path) -> None:
    checkpoint = Checkpoint.load(scored_file)
    assert checkpoint.golden is not None
    replace(checkpoint, golden=Golden(checkpoint.golden.image, (checkpoint.golden.mask + 1) % 3)).save(scored_file)
    with pytest.raises(CheckpointError, match="golden image's mask differs"):
        load_fastest(scored_file, "cpu")
