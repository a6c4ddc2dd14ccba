import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from benchmarks.waiting import wait_until
from tests.app.load import CLIENTS, Load, logged_statuses
from tests.app.server_process import ServerProcess, environment
from tests.programs import needs

ROOT = Path(__file__).parents[3]

_SUPERVISE = """
import sys
from app.server import metrics_directory, supervisor
from app.process_settings import ProcessSettings
metrics_directory._IN_MEMORY = sys.argv[1]
supervisor._HEARTBEAT_TIMEOUT_S = supervisor._SECOND_THOUGHT_S = 1.0
sys.exit(supervisor.supervise(ProcessSettings(), "tests.app.server.idle_worker"))
"""


class Supervised:
    """A supervisor of workers that serve nothing."""

    def __init__(self, conduct: str, measures: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SUPERVISE, str(measures)],
            env=environment({"workers": 2, "log_format": "text"}) | {"IDLE_WORKER": conduct},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        # Ending the process ends a wait in vain.
        self.limit = Timer(60, self.process.kill)
        self.limit.start()

    def wait_for(self, what: str, count: int = 1) -> list[int]:
        """Read until ``what`` has come ``count`` times since the last call; return the ids of the workers behind it."""
        found: list[int] = []
        assert self.process.stdout is not None
        while len(found) < count:
            line = self.process.stdout.readline()
            assert line, f"the output ends without {what}:\n" + "".join(self.lines)
            self.lines.append(line)
            if re.match(rf"(\d\d:\d\d:\d\d \w+ +)?{re.escape(what)}", line):  # a line of the log has time and level
                word = line.split()[-1]
                found.append(int(word) if word.isdigit() else 0)
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=20)


Supervise = Callable[[str], Supervised]
StartServer = Callable[..., ServerProcess]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    started: list[Supervised] = []

    def start(conduct: str) -> Supervised:
        started.append(Supervised(conduct, tmp_path))
        return started[-1]

    yield start
    for supervised in started:
        supervised.limit.cancel()
        supervised.process.kill()
        supervised.process.wait()
        assert supervised.process.stdout is not None
        supervised.process.stdout.close()


def test_the_service_is_ready_when_all_workers_are(supervise: Supervise) -> None:
    supervised = supervise("work")
    first, second = supervised.wait_for("ready", 2)
    assert first != second
    supervised.wait_for("Ready on http://127.0.0.1:")
    assert supervised.end() == 0
    assert set(supervised.wait_for("terminated", 2)) == {first, second}


def test_a_worker_that_dies_is_replaced(supervise: Supervise) -> None:
    supervised = supervise("work")
    first, second = supervised.wait_for("ready", 2)
    os.kill(first, signal.SIGKILL)
    (third,) = supervised.wait_for("ready")
    assert third not in {first, second}
    assert supervised.end() == 0


def test_workers_that_die_at_once_are_replaced_ever_more_slowly(supervise: Supervise) -> None:
    supervised = supervise("die")
    supervised.wait_for("ready", 2)
    started = time.monotonic()
    supervised.wait_for("ready", 4)
    assert time.monotonic() - started > 0.5 + 1


def test_a_worker_that_hangs_is_replaced(supervise: Supervise) -> None:
    supervised = supervise("hang")
    supervised.wait_for("ready", 4)
    assert any("has been silent" in line for line in supervised.lines)
    assert any("SIGKILL" in line for line in supervised.lines)


def test_workers_do_not_hang_because_the_supervisor_was_stopped_for_a_while(supervise: Supervise) -> None:
    supervised = supervise("work")
    workers = supervised.wait_for("ready", 2)
    supervised.wait_for("Ready")
    supervised.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    supervised.process.send_signal(signal.SIGCONT)
    time.sleep(2)
    assert supervised.end() == 0
    assert set(supervised.wait_for("terminated", 2)) == set(workers)
    assert not any("silent" in line for line in supervised.lines)


def test_a_worker_that_a_nameless_signal_ends_is_replaced(supervise: Supervise) -> None:
    supervised = supervise("work")
    first, _ = supervised.wait_for("ready", 2)
    os.kill(first, 40)
    supervised.wait_for("ready")
    assert any("ended by signal 40" in line for line in supervised.lines)
    assert supervised.end() == 0


def test_a_worker_that_cannot_start_at_first_ends_the_service_with_its_exit_code(supervise: Supervise) -> None:
    assert supervise("fail").process.wait(timeout=20) == 7


def test_sighup_reaches_all_workers(supervise: Supervise) -> None:
    supervised = supervise("work")
    workers = supervised.wait_for("ready", 2)
    supervised.wait_for("Ready")
    supervised.process.send_signal(signal.SIGHUP)
    assert set(supervised.wait_for("hangup", 2)) == set(workers)


def test_what_one_worker_has_reloaded_the_others_reload(supervise: Supervise) -> None:
    supervised = supervise("work")
    first, second = supervised.wait_for("ready", 2)
    supervised.wait_for("Ready")
    os.kill(first, signal.SIGUSR1)
    assert supervised.wait_for("hangup") == [second]


def test_workers_know_that_their_supervisor_was_killed(supervise: Supervise) -> None:
    supervised = supervise("work")
    workers = supervised.wait_for("ready", 2)
    supervised.process.kill()
    assert set(supervised.wait_for("alone", 2)) == set(workers)


def test_repeated_sigterm_interrupts_nothing_and_a_second_sigint_ends_at_once(supervise: Supervise) -> None:
    supervised = supervise("work")
    workers = supervised.wait_for("ready", 2)
    supervised.wait_for("Ready")
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        assert supervised.process.poll() is None
        supervised.process.send_signal(number)
    assert supervised.process.wait(timeout=20) == 1


@needs("prlimit")
def test_several_workers_need_a_folder_for_their_metrics() -> None:
    result = subprocess.run(
        ["prlimit", "--fsize=0", sys.executable, "-m", "app"],
        env=environment({"workers": 2, "log_format": "text"}),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 3
    assert "several workers need a folder to share their metrics" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_killed_worker_fails_its_own_requests_alone_and_sigterm_none(start_server: StartServer, cat: bytes) -> None:
    server = start_server(workers=2, threads=1, concurrency=4)
    with Load(server, cat) as load:
        load.wait_for_answers(CLIENTS)
        os.kill(_workers(server)[0], signal.SIGKILL)
        wait_until(lambda: "ended by SIGKILL" in "".join(server.log), timeout_s=120)
        wait_until(lambda: _workers_that_serve(server) == 2, timeout_s=120)
        load.wait_for_answers(CLIENTS)
        assert load.outcomes[0] <= CLIENTS
        assert set(load.outcomes) <= {0, 200}
        log = server.end()
    assert server.process.returncode == 0
    statuses = logged_statuses(log)
    assert set(statuses) <= {200, 503}
    # The killed worker may have sent responses that it had no time to log.
    assert statuses[200] <= load.outcomes[200] <= statuses[200] + CLIENTS


def _workers(server: ServerProcess) -> list[int]:
    return [
        int(word) for word in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    ]


def _workers_that_serve(server: ServerProcess) -> float:
    with server.client() as client:
        for line in client.get("/metrics").text.splitlines():
            if line.startswith("fcn_info{"):
                return float(line.split()[-1])
    return 0
