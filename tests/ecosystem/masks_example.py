"""Running the programs of docs/masks.md as a reader would."""

import subprocess
import sys
from pathlib import Path

from tests.examples.masks_page import ROOT, program, require_same, shown_output

_ADDRESS = "http://127.0.0.1:8000"


def run_example(name: str, url: str, folder: Path) -> str:
    """Run a program of examples/masks/ against a service; return its output, which must be that on the page.

    Args:
        name: name of the program.
        url: URL of the service.
        folder: folder to run it in; it gets the photographs.
    """
    (folder / "examples").symlink_to(ROOT / "examples")
    source = program(name).replace(_ADDRESS, url)
    result = subprocess.run(
        [sys.executable, "-c", source], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    require_same(result.stdout, shown_output(name))
    return result.stdout
