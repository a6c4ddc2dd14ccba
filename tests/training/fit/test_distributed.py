"""Distributed training with two real processes, one of which is killed."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.checkpoint import Checkpoint
from tests.training.voc_folder import halves, write_voc_folder
from training.fit.state import RunState

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    masks = {f"made{index}": halves(index, index + 1, 64, 64) for index in range(4)}
    return write_voc_folder(tmp_path / "made", masks)


def _command(data: Path, out: Path, *others: str) -> list[str]:
    settings = ["data.crop_size=64", "data.workers=0", "network.width=4", "run.tensorboard=false", "run.threads=1"]
    settings += ["data.flip=false", "data.color_jitter=0", "data.min_scale=1", "data.max_scale=1"]
    settings += ["optimizer.freeze_batch_norm=true", "optimizer.learning_rate=0.001", "run.save_every=1", *others]
    options = [part for setting in settings for part in ("--set", setting)]
    source = ["--source", f"{data}:train:4", "--out", str(out), "--backbone", "random", "--device", "cpu"]
    return [sys.executable, "-m", "training", "train", *source, *options, "--resume", "auto"]


def _run(command: list[str], **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_for_steps(run: "subprocess.Popen[str]") -> None:
    """Read the run's output until at least two steps are done."""
    assert run.stdout is not None
    seen = ""
    while not re.search(r"step ([2-9]|\d\d+)/100000", seen):
        read = run.stdout.read(1)
        assert read, seen
        seen += read


def test_two_processes_train_as_one_does(data: Path, tmp_path: Path) -> None:
    alone = _run(_command(data, tmp_path / "alone", "run.steps=3", "optimizer.ema_decay=0"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    together = [
        _run(
            _command(data, tmp_path / "together", "run.steps=3", "optimizer.ema_decay=0"),
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE="2",
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=port,
        )
        for rank in range(2)
    ]
    for process in (alone, *together):
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    one, two = (Checkpoint.load(tmp_path / name / "last.safetensors").weights for name in ("alone", "together"))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=2e-3, atol=2e-4)
    assert len((tmp_path / "together" / "log.jsonl").read_text().splitlines()) == 0


def test_a_killed_run_goes_on_from_its_last_save(data: Path, tmp_path: Path) -> None:
    killed = _run(_command(data, tmp_path / "killed", "run.steps=100000", "run.log_every=1"))
    _wait_for_steps(killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    step = RunState.load(tmp_path / "killed" / "state.pt").step
    assert step >= 1
    resumed = _run(_command(data, tmp_path / "killed", "run.steps=100000", "run.max_minutes=0.00001"))
    output, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, output
    assert f"out of time at step {step + 1}" in output


def test_an_interrupted_run_says_so_and_saves(data: Path, tmp_path: Path) -> None:
    run = _run(_command(data, tmp_path / "run", "run.steps=100000", "run.save_every=100000", "run.log_every=1"))
    _wait_for_steps(run)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 130, output
    step = RunState.load(tmp_path / "run" / "state.pt").step
    assert f"interrupted at step {step}" in output
