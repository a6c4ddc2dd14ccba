import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from model.networks import Architecture, NetworkConfig, build_network
from tests.training.narrow_networks import WIDTHS
from tests.training.voc_folder import halves, write_voc_folder
from training.fit.memory_format import training_memory_format

_ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("width", "device", "expected"),
    [
        (4, "cpu", torch.contiguous_format),
        (15, "cpu", torch.contiguous_format),
        (16, "cpu", torch.channels_last),
        (64, "cpu", torch.channels_last),
        (4, "cuda", torch.channels_last),
    ],
)
def test_narrow_networks_are_trained_as_nchw_on_a_cpu(width: int, device: str, expected: torch.memory_format) -> None:
    network = build_network(NetworkConfig(Architecture.FCN8S, width=width))
    assert training_memory_format(network, torch.device(device)) == expected


@pytest.mark.parametrize(
    "instructions",
    [
        {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
        {"ATEN_CPU_CAPABILITY": "default"},
        {},
    ],
)
@pytest.mark.slow
def test_gradients_are_right_at_every_width(instructions: dict[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.training.narrow_networks"],
        cwd=_ROOT,
        env={**os.environ, **instructions},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}{run.stderr}"
    rows = [line.split() for line in run.stdout.splitlines()]
    assert {int(width) for width, _, _ in rows} == set(WIDTHS)
    assert {row[1]: float(row[2]) for row in rows if not float(row[2]) < 5e-3} == {}


def test_the_trainer_takes_the_safe_format(tmp_path: Path) -> None:
    """With AVX2 alone, this run once corrupted the heap within a few steps."""
    masks = {f"made{index}": halves(index, index + 1, 128, 128) for index in range(8)}
    data = write_voc_folder(tmp_path / "made", masks)
    settings = ["data.crop_size=128", "data.workers=0", "network.width=4", "run.tensorboard=false", "run.threads=1"]
    options = [part for setting in [*settings, "run.steps=8"] for part in ("--set", setting)]
    command = ["train", "--source", f"{data}:train:8", "--out", str(tmp_path / "run"), "--device", "cpu", *options]
    run = subprocess.run(
        [sys.executable, "-m", "training", *command, "--backbone", "random"],
        cwd=_ROOT,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
