from pathlib import Path

import pytest
import torch

from training.config import TrainConfig
from training.config_file import load_config
from training.errors import ResumeError
from training.fit.state import RunState, differences


def test_a_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    config = load_config(None, ["run.steps=7", "data.sources=[{root='a'}]"])
    RunState(config, 3, {"network": {"weight": torch.arange(4.0)}, "best_miou": 0.5}).save(tmp_path / "state.pt")
    state = RunState.load(tmp_path / "state.pt")
    assert state.config == config
    assert state.step == 3
    assert torch.equal(state.tensors["network"]["weight"], torch.arange(4.0))
    assert state.tensors["best_miou"] == 0.5
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_missing_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"no run to resume: .*state\.pt is missing"):
        RunState.load(tmp_path / "state.pt")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_a_damaged_state_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ResumeError, match=r"state\.pt holds no run"):
        RunState.load(tmp_path / "state.pt")


def test_a_foreign_state_is_named(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "state.pt")
    with pytest.raises(ResumeError, match=r"state\.pt holds no run"):
        RunState.load(tmp_path / "state.pt")


def test_code_in_a_state_is_not_run(tmp_path: Path) -> None:
    torch.save({"config": Path("x"), "step": 1, "tensors": {}}, tmp_path / "state.pt")
    with pytest.raises(ResumeError):
        RunState.load(tmp_path / "state.pt")


def test_other_settings_are_named_and_how_it_is_run_may_change() -> None:
    state = RunState(TrainConfig(), 1, {})
    state.require_same(load_config(None, ["run.save_every=1", "run.threads=2"]))
    with pytest.raises(ResumeError, match=r"optimizer\.momentum, run\.seed"):
        state.require_same(load_config(None, ["run.seed=1", "optimizer.momentum=0.5"]))


def test_what_only_tells_how_a_run_is_run_is_no_difference() -> None:
    first = load_config(None)
    same = load_config(None, ["run.save_every=7", "run.device=cuda", "run.max_minutes=3", "run.log_every=1"])
    other = load_config(None, ["run.steps=7", "data.sources=[{root='a'}]", "optimizer.momentum=0.5"])
    assert differences(first, same) == []
    validated = load_config(None, ["data.validation.root=a"])
    assert "data.validation.root" in differences(first, validated)
    assert "data.validation.root" in differences(validated, first)
    assert differences(first, other) == ["data.sources", "optimizer.momentum", "run.steps"]
