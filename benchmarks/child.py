"""A module that runs in a process of its own, told what to do by a JSON document."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[1]
_READY = "ready"


class Child:
    """Runs while entered; its standard output is read here.

    Args:
        module: name of it.
        document: its only argument.
    """

    def __init__(self, module: str, document: dict[str, Any]) -> None:
        self._command = [sys.executable, "-m", module, json.dumps(document)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._output.close()

    def wait_until_ready(self) -> None:
        """Returns when the module has come as far as it tells by ``tell_ready``."""
        line = self._output.readline()
        assert line.strip() == _READY, line

    def result(self) -> Any:
        """What the module prints at its end, a JSON document; waits for it."""
        return json.loads(self._output.read().removeprefix(_READY))


def tell_result(result: Any) -> None:
    """Tell the parent the result; called by the module, last."""
    # Not by print: where Python's output is unbuffered it loses what does not fit into the pipe at once.
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        json.dump(result, output)


def tell_ready() -> None:
    """Tell the parent that the module is ready; called by the module."""
    print(_READY, flush=True)
