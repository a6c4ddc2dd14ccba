"""The GPU that each of several processes chooses, tested without a GPU."""

from datetime import timedelta
from typing import Any

import pytest
import torch

from model.errors import DeviceError
from training.fit.distributed import join_processes, own_device


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Simulate a machine with two GPUs; return the devices that were chosen and made current, in order."""
    opened: list[str] = []

    def choose_device(name: str) -> torch.device:
        opened.append(name)
        return torch.device("cuda" if name == "auto" else name)

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", lambda device: opened.append(f"set {device}"))
    monkeypatch.setattr("training.fit.distributed.choose_device", choose_device)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    return opened


@pytest.mark.parametrize("name", ["auto", "cuda", "cuda:0"])
def test_a_process_opens_its_own_gpu_alone(name: str, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device(name) == torch.device("cuda:1")
    assert opened == ["cuda:1", "set cuda:1"]


def test_the_gpu_that_is_asked_for_is_made_current(opened: list[str]) -> None:
    assert own_device("cuda:1") == torch.device("cuda:1")
    assert opened == ["cuda:1", "set cuda:1"]


def test_a_process_may_train_on_the_cpu_beside_gpus(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "5")
    assert own_device("cpu") == torch.device("cpu")
    assert opened == ["cpu"]


def test_more_processes_than_gpus_are_told(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(DeviceError, match="process 2 has no GPU of its own: there are 2; give --nproc-per-node 2"):
        own_device("auto")
    assert opened == []


def test_others_wait_for_hours_while_the_leading_process_validates(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: dict[str, Any] = {}
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("torch.distributed.init_process_group", lambda backend, **others: joined.update(others))
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: None)
    with join_processes(torch.device("cuda:1")) as processes:
        assert (processes.rank, processes.count) == (1, 2)
    assert joined["timeout"] > timedelta(hours=1)
    assert joined["device_id"] == torch.device("cuda:1")
