"""A process that has imported the service and the command line, and forks itself for each requested program.

Importing PyTorch and FastAPI takes seconds; a fork of a process that has imported them needs no time for it. The fork
runs the real program, with its own arguments, environment, streams and exit code.
"""

import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module

_IMPORTED = ("app.cli.local_backend", "app.cli.main", "app.cli.remote_backend", "app.cli.start", "app.server.server")
_LONGEST_REQUEST = 1 << 18
"""Maximum size of a request in bytes."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run in a fork.

    Attributes:
        module: module with the function ``main``.
        arguments: ``sys.argv``.
        environment: all environment variables.
        folder: working directory.
    """

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def encode(program: Program) -> bytes:
    return json.dumps(asdict(program)).encode()


def main() -> None:
    """Handle requests on the socket whose descriptor is the argument, until its other end is closed.

    A request is either a ``Program`` with the descriptors of its three standard streams, and the response is the fork's
    process ID; or the process ID of a fork that has ended, and the response is its exit code, negative for a signal.
    """
    # Ctrl-C is for the test runner, which then closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in _IMPORTED:
        import_module(module)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        program = _next_fork(requests)
    if program is not None:
        program()


def _next_fork(requests: socket.socket) -> Callable[[], None] | None:
    """Handle requests; return the function to run in each fork, and None in the parent at the end."""
    while True:
        request, streams, _, _ = socket.recv_fds(requests, _LONGEST_REQUEST, 3)
        if not request:
            return None
        if not streams:
            _, status = os.waitpid(int(request), 0)
            requests.send(b"%d" % os.waitstatus_to_exitcode(status))
            continue
        process_id = os.fork()
        if process_id == 0:
            return _prepared(Program(**json.loads(request)), streams)
        for stream in streams:
            os.close(stream)
        requests.send(b"%d" % process_id)


def _prepared(program: Program, streams: list[int]) -> Callable[[], None]:
    """Set this process up for the program as a new interpreter would be; return the function to run."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(program.environment)
    os.chdir(program.folder)
    sys.argv = program.arguments
    run: Callable[[], None] = import_module(program.module).main
    return run
