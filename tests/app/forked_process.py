"""Running a program of the project in a forked process, which starts at once."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock

from tests.app.fork_parent import Program, encode

_ROOT = Path(__file__).parents[2]


class _Parent:
    """The process that is forked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            descriptor = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from tests.app.fork_parent import main; main()", str(descriptor)],
                cwd=_ROOT,
                # A worker thread would not exist after the fork.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                pass_fds=[descriptor],
            )

    def fork(self, program: Program, streams: Sequence[int]) -> int:
        return self._ask(encode(program), streams)

    def exit_code(self, process_id: int) -> int:
        """Exit code of a fork that has ended."""
        return self._ask(b"%d" % process_id)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def _ask(self, request: bytes, descriptors: Sequence[int] = ()) -> int:
        with self._lock:
            socket.send_fds(self._socket, [request], list(descriptors))
            answer = self._socket.recv(64)
        assert answer, "the process that is forked has ended"
        return int(answer)


@cache
def _parent() -> _Parent:
    return _Parent()


def end_parent() -> None:
    """End the parent of the forks, if it runs."""
    if _parent.cache_info().currsize:
        _parent().close()
        _parent.cache_clear()


class ForkedProcess:
    """A running fork, with the necessary part of the interface of ``subprocess.Popen``.

    Args:
        module: module whose function ``main`` runs.
        arguments: ``sys.argv``.
        environment: all environment variables.
        folder: working directory.
        streams: descriptors of standard input, output and error.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        streams: Sequence[int],
    ) -> None:
        program = Program(module, list(arguments), dict(environment), str(folder))
        self.pid = _parent().fork(program, streams)
        self.returncode: int | None = None
        self._ended = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """The exit code; None if the process still runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end, and return its exit code, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: the process has not ended in time.
        """
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = _parent().exit_code(self.pid)
            os.close(self._ended)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_forked(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, standard_input: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end, as ``subprocess.run`` does."""
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors:
        given.write(standard_input)
        given.seek(0)
        streams = (given.fileno(), output.fileno(), errors.fileno())
        code = ForkedProcess(module, arguments, environment, folder, streams).wait(timeout=300)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, code, output.read(), errors.read())
