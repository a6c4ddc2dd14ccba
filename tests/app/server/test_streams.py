import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import logging, socket, sys
from app.server.streams import say, standard_streams

with standard_streams():
    connection = socket.socket()
    say("hello")
    print("hello")
    logging.warning("hello")
    sys.exit(0 if connection.fileno() > 2 else 1)
"""


def _exit_code(redirection: str) -> int:
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", _PROGRAM]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    return subprocess.run(command, cwd=Path(__file__).parents[3], env=buffered, timeout=20, check=False).returncode


def test_closed_streams_do_not_leave_their_descriptors_to_connections() -> None:
    assert _exit_code("<&- >&- 2>&-") == 0


def test_streams_that_take_nothing_do_not_spoil_the_exit_code() -> None:
    assert _exit_code(">/dev/full 2>/dev/full") == 0
