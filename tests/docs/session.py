"""A reader's terminal: runs a page's blocks one after another in a copy of the checkout."""

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.app.server_process import ServerProcess
from tests.docs.blocks import Block

ADDRESS = "http://127.0.0.1:8000"
"""URL of the service on the pages."""

_TIMEOUT_S = 300

# No block may change the virtual environment, which is not a copy.
_TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PIP_NO_INDEX": "1"}

_OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
"""Variables of an outer `make`, which would make an inner one print its folder."""


class BlockServer(ServerProcess):
    """The service that a block starts, with all of the block's processes."""

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__("setsid", "env", "-C", str(folder), "bash", "-euc", program, "bash")

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        super().__exit__()


class Session:
    """Runs blocks in a folder; the service runs from the first block that needs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: ServerProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._start(None)

    def run(self, block: Block) -> str:
        """Run a block to its end, or until the service that it starts is ready, and return its output.

        Raises:
            AssertionError: the block failed.
        """
        if block.serves:
            self._start(BlockServer(block.program, self._folder))
            return ""
        program = self._addressed(block.program)
        command = [str(self._folder / ".venv/bin/python"), "-c"] if block.language == "python" else ["bash", "-euc"]
        result = subprocess.run(
            [*command, program],
            cwd=self._folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        assert result.returncode == 0, f"{program}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def _addressed(self, program: str) -> str:
        """The program with the URL of a running service."""
        if ADDRESS not in program:
            return program
        if self._server is None:
            self._start(ServerProcess())
        assert self._server is not None
        # A curl command whose response is a problem has failed.
        return re.sub(r"\bcurl ", "curl --fail-with-body --silent --show-error ", program).replace(
            ADDRESS, self._server.url
        )

    def _start(self, server: ServerProcess | None) -> None:
        """Replace the running service by another one, or by none."""
        former, self._server = self._server, None
        if former is not None:
            former.__exit__()
        self._server = server.__enter__() if server else None


def agrees(printed: str, shown: str) -> bool:
    """Whether the shown output matches the printed one; ``...`` matches anything."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    return {**inherited, **_TERMINAL}
