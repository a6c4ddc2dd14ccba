"""Running a module in a process of its own, with a JSON document as its argument."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[1]
_READY = "ready"


class Child:
    """A child process that runs while entered; this class reads its standard output.

    Args:
        module: name of the module to run.
        document: its only argument, passed as JSON.
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
        """Wait until the module calls ``tell_ready``."""
        line = self._output.readline()
        assert line.strip() == _READY, line

    def result(self) -> Any:
        """Wait for the JSON document that the module prints at its end, and return it."""
        return json.loads(self._output.read().removeprefix(_READY))


def tell_result(result: Any) -> None:
    """Send the result to the parent; the module calls this last."""
    # Not print: with unbuffered output it loses what does not fit into the pipe at once.
    with open(sys.stdout.fileno(), "w", closefd=False) as output:
        json.dump(result, output)


def tell_ready() -> None:
    """Tell the parent that the module is ready; the module calls this."""
    print(_READY, flush=True)
