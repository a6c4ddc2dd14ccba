import subprocess
import sys

import pytest

from benchmarks.process_tree import session_members
from benchmarks.service import Service, ServiceError, running, segment, stop_session

FIXED = Service("fixed", "/", ("-m", "benchmarks.fixed_server", "{port}"))

_PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("started", flush=True)
time.sleep(600)
"""


def test_a_service_runs_as_long_as_it_is_needed() -> None:
    with running(FIXED, sys.executable, b"image") as port:
        assert segment(FIXED, port, b"image")
    with pytest.raises(ServiceError, match="fixed does not answer"):
        segment(FIXED, port, b"image")


def test_a_service_is_stopped_when_its_user_fails() -> None:
    def fail() -> None:
        with running(FIXED, sys.executable, b"image") as port:
            ports.append(port)
            raise KeyboardInterrupt

    ports: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fail()
    with pytest.raises(ServiceError):
        segment(FIXED, ports[0], b"image")


def test_a_service_that_ends_shows_its_log() -> None:
    broken = Service("broken", "/", ("-c", "import sys; sys.exit('no such thing')"))
    with pytest.raises(ServiceError, match="no such thing"), running(broken, sys.executable, b"image"):
        pass


def test_what_a_service_started_is_ended_with_it() -> None:
    leader = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdout is not None
    with leader.stdout:
        assert leader.stdout.readline() == b"started\n"
        assert len(session_members(leader.pid)) == 2
        stop_session(leader)
        assert session_members(leader.pid) == []
