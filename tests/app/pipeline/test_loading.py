from pathlib import Path

import pytest

from app.environment import WORKERS_FOLDER
from app.pipeline.loading import Loader
from app.settings import Settings
from model.precision import Precision
from model.segmenter import Segmenter


def _measured(segmenter: Segmenter) -> float:
    return {Precision.FLOAT32: 3.0, Precision.BFLOAT16: 2.0, Precision.INT8: 1.0}[segmenter.precision]


def _never(_: object) -> float:
    raise AssertionError("it was measured already")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(WORKERS_FOLDER, str(tmp_path))
    monkeypatch.setattr("model.fastest._measure", _measured)
    return tmp_path


AUTO = Settings(device="cpu", precision=Precision.AUTO)


def test_what_one_worker_has_measured_the_others_and_reloads_take_over(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Loader(AUTO)
    chosen = first.load().precision
    monkeypatch.setattr("model.fastest._measure", _never)
    assert first.load().precision == chosen
    second = Loader(AUTO).load()
    assert second.precision == chosen
    if chosen is not Precision.FLOAT32:
        assert "float32 3000 ms" in second.precision_reason


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"parrot": 1}', '{"int8": null}'])
def test_a_measurement_that_cannot_be_read_is_made_again(content: str, shared: Path) -> None:
    (shared / "precision_seconds.json").write_text(content)
    assert Loader(AUTO).load().precision in Precision
    assert (shared / "precision_seconds.json").read_text() != content


def test_a_measurement_that_cannot_be_shared_is_still_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS_FOLDER, str(tmp_path / "absent"))
    monkeypatch.setattr("model.fastest._measure", _measured)
    assert Loader(AUTO).load().precision in Precision


def test_a_folder_of_measures_that_somebody_set_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr("model.fastest._measure", _measured)
    Loader(AUTO).load()
    assert list(tmp_path.iterdir()) == []
