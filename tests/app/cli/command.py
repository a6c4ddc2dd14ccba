"""The command, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.app.forked_process import run_forked

# Does what the script that pip installs does, and handles Ctrl-C even if the tests run in the background.
SCRIPT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "sys.argv[0] = 'fcn-segment'; from app.cli.main import main; sys.exit(main())"
)
COMMAND = (sys.executable, "-c", SCRIPT)
ROOT = Path(__file__).parents[3]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment, with the project on Python's path."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **variables}


def start(*arguments: object, cwd: Path, command: tuple[str, ...] = COMMAND) -> "subprocess.Popen[bytes]":
    """Start the command with pipes for its output."""
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(
    *arguments: object,
    cwd: Path,
    input: bytes = b"",  # noqa: A002 (subprocess's name)
    command: tuple[str, ...] = COMMAND,
    **variables: str,
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command to its end; ``COMMAND`` in a fork, others in a new interpreter."""
    if command is COMMAND:
        return run_forked("app.cli.main", ["fcn-segment", *map(str, arguments)], environment(**variables), cwd, input)
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        input=input,
        capture_output=True,
        check=False,
        timeout=300,
    )


def report_of(result: "subprocess.CompletedProcess[bytes]") -> dict[str, Any]:
    """The document that ``--json`` printed; standard output must contain nothing else."""
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def files_below(folder: Path) -> set[str]:
    """Paths of all files in a folder, relative to the folder that it lies in."""
    return {str(path.relative_to(folder.parent)) for path in folder.rglob("*") if path.is_file()}
