import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.process_tree import (
    command_line,
    connected_ports,
    descendants,
    processor_seconds,
    state,
)

_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def family() -> Iterator[tuple[int, int]]:
    """Ids of a process and its child, which has a session of its own."""
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        yield parent.pid, child
    os.kill(child, signal.SIGKILL)
    parent.kill()
    parent.wait()


def test_a_tree_has_what_a_process_has_started(family: tuple[int, int]) -> None:
    parent, child = family
    assert descendants(parent) == [parent, child]
    assert descendants(child) == [child]
    assert "import time; time.sleep(600)" in command_line(child)


def test_processors_time_is_that_of_a_process_and_more() -> None:
    assert processor_seconds(os.getpid()) > time.process_time() - 0.1 > 0


def test_a_process_that_is_stopped_is_told(family: tuple[int, int]) -> None:
    _, child = family
    os.kill(child, signal.SIGSTOP)
    until = time.monotonic() + 10
    while state(child) != "T":
        assert time.monotonic() < until


def test_what_is_not_there_has_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert state(ended.pid) == ""
    assert command_line(ended.pid) == []
    assert connected_ports(ended.pid) == set()


def test_connections_are_told_by_the_ports_of_their_other_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            ports = connected_ports(os.getpid())
            assert {client.getsockname()[1], listener.getsockname()[1]} <= ports
