"""Runs the programs of docs/masks.md as a reader would."""

import subprocess
import sys
from pathlib import Path

from tests.examples.masks_page import ROOT, program, require_same, shown_output

_ADDRESS = "http://127.0.0.1:8000"


def run_example(name: str, url: str, folder: Path) -> str:
    """Run a program of examples/masks/ against a service; its output, which is that of the page.

    Args:
        name: of the program.
        url: of the service.
        folder: to run it in; it finds the photographs there.
    """
    (folder / "examples").symlink_to(ROOT / "examples")
    source = program(name).replace(_ADDRESS, url)
    result = subprocess.run(
        [sys.executable, "-c", source], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    require_same(result.stdout, shown_output(name))
    return result.stdout
