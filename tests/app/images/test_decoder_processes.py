import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.images.pool import Decoders
from benchmarks.process_tree import command_line, descendants, open_files, processor_seconds
from benchmarks.waiting import wait_until
from tests.app.images.decoding import FILE, is_running, problem_of, require_work
from tests.app.server_process import ServerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere images are decoded in the process")


def test_no_descriptor_is_kept(make: Callable[..., Decoders]) -> None:
    decoders = make()
    require_work(decoders)
    (process_id,) = decoders.process_ids

    times = 20
    before = open_descriptors(os.getpid()), open_descriptors(process_id)
    for _ in range(times):
        require_work(decoders)
        problem_of(decoders, b"hello")
        problem_of(decoders, FILE[:60])
        problem_of(decoders, FILE + b"|allocate")
    require_fewer_new(open_descriptors(process_id) - before[1], 1)
    for _ in range(times):
        problem_of(decoders, FILE + b"|segfault")
    require_work(decoders)
    require_fewer_new(open_descriptors(os.getpid()) - before[0], times)


def require_fewer_new(new: set[tuple[Path, str]], limit: int) -> None:
    """Require fewer new descriptors than decoder calls: other threads of the test process may open some, too."""
    assert len(new) < limit, sorted(new)


def open_descriptors(process_id: int) -> set[tuple[Path, str]]:
    """A running process's descriptors, each with the file that it refers to."""
    gc.collect()
    files = open_files(process_id)
    assert files
    return set(files.items())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_the_service_leave_decoders_to_it(
    make: Callable[..., Decoders], number: signal.Signals
) -> None:
    decoders = make()
    require_work(decoders)
    (process_id,) = decoders.process_ids
    assert os.getpgid(process_id) != os.getpgid(0)
    os.kill(process_id, number)
    require_work(decoders)
    assert decoders.process_ids == [process_id]


def test_decoders_die_with_the_service_even_if_they_hang() -> None:
    program = (
        "import sys, threading\n"
        "from app.images.pool import Decoders\n"
        "from tests.app.images.decoding import CRASHING, FILE, decode\n"
        "decoders = Decoders(2, 1000, module=CRASHING)\n"
        "decoders.start()\n"
        "threading.Thread(target=decode, args=(decoders, FILE + b'|loop')).start()\n"
        "print(*decoders.process_ids, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        ids = [int(word) for word in service.stdout.readline().split()]
        wait_until(lambda: any(processor_seconds(process_id) > 0.3 for process_id in ids))
        assert all(is_running(process_id) for process_id in ids)
        service.kill()
    wait_until(lambda: not any(is_running(process_id) for process_id in ids))


def test_decoders_that_make_way_have_a_lower_priority(make: Callable[..., Decoders]) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for low_priority, niceness in ((False, own), (True, min(19, own + 5))):
        decoders = make(low_priority=low_priority)
        require_work(decoders)
        assert [os.getpriority(os.PRIO_PROCESS, process_id) for process_id in decoders.process_ids] == [niceness]


def test_a_service_whose_decoders_are_killed_goes_on(server: ServerProcess, cat: bytes) -> None:
    with server.client() as client:
        assert client.post("/segment", files={"image": cat}).status_code == 200
        killed = _decoders_of(server.process.pid)
        assert killed
        for process_id in killed:
            os.kill(process_id, signal.SIGKILL)
        assert client.post("/segment", files={"image": cat}).status_code == 200
        assert not set(killed) & set(_decoders_of(server.process.pid))


def _decoders_of(process_id: int) -> list[int]:
    return [child for child in descendants(process_id)[1:] if "app.images.worker" in command_line(child)]
