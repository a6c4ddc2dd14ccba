"""Tests marked ``every_cpu`` pass on CPUs with fewer instruction sets, as simulated for the libraries."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_FILES = (
    "tests/app/server/test_server.py",
    "tests/app/api/test_segment.py",
    "tests/model",
    "tests/training/fit/test_engine.py",
)
"""Paths of tests with the mark: collecting all others would take longer than running these."""

_FOREIGN_VARIABLES = {"FCN_PORT": "1", "FCN_PRECISION": "nonsense"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits",
    [{"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}, {"ATEN_CPU_CAPABILITY": "default"}],
    ids=["avx2", "default"],
)
def test_what_has_to_hold_on_every_cpu_does(limits: dict[str, str]) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_XDIST", "COV_"))}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "every_cpu", "-p", "no:cacheprovider", *_FILES],
        cwd=ROOT,
        env={**inherited, **limits, **_FOREIGN_VARIABLES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    passed = re.search(r"(\d+) passed", result.stdout)
    assert passed
    assert int(passed[1]) >= 20


def test_all_tests_with_the_mark_are_among_those_files() -> None:
    marked = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.joinpath("tests").rglob("test_*.py")
        if "pytest.mark.every_cpu" in path.read_text() and path != Path(__file__)
    ]
    assert marked
    assert all(name.startswith(_FILES) for name in marked), marked
