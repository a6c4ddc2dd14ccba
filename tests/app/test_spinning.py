import os
import subprocess
import sys

import pytest

from app.spinning import limit_spinning

_START = """
import os, sys
import {module} as entry
assert "torch" not in sys.modules  # which reads the variable when it is imported
entry.{stop} = lambda *_: sys.exit(int(os.environ["GOMP_SPINCOUNT"]) != 2000)
entry.{function}()
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("module", "function", "stop"), [("app.cli.start", "start", "read_settings"), ("app.cli.main", "main", "cli")]
)
def test_it_is_limited_before_pytorch_is_imported(
    bare: pytest.MonkeyPatch,
    module: str,
    function: str,
    stop: str,
) -> None:
    program = _START.format(module=module, function=function, stop=stop)
    assert subprocess.run((sys.executable, "-c", program), timeout=60, check=False).returncode == 0


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_what_the_environment_says_holds(bare: pytest.MonkeyPatch, name: str, value: str) -> None:
    bare.setenv(name, value)
    before = dict(os.environ)
    limit_spinning()
    assert dict(os.environ) == before
