"""A process that has imported the service and the command line, and forks itself for each program that it is asked for.

Importing PyTorch and FastAPI takes a process seconds; a fork of one that has done it takes none. What runs in the fork
is the real program, with its own arguments, environment, streams and exit code.
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
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a fork runs.

    Attributes:
        module: holds the function ``main``.
        arguments: ``sys.argv``.
        environment: all variables.
        folder: working directory.
    """

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str


def encode(program: Program) -> bytes:
    return json.dumps(asdict(program)).encode()


def main() -> None:
    """Answer requests on the socket whose descriptor is the argument, until its other end is closed.

    A request is a ``Program`` with three descriptors, its standard streams, and is answered with the fork's process ID;
    or the process ID of a fork that has ended, and is answered with its exit code, negative for a signal.
    """
    # Ctrl-C is for whoever runs the tests, who then closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in _IMPORTED:
        import_module(module)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        program = _next_fork(requests)
    if program is not None:
        program()


def _next_fork(requests: socket.socket) -> Callable[[], None] | None:
    """Answer requests; in each fork, what it runs, and in the parent, at the end, nothing."""
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
    """This process made into the program's, as far as a new interpreter would have been."""
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
