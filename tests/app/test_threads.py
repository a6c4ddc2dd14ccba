import os
import sys
import threading

import pytest

from app.threads import start_threads


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone knows priorities of threads")
def test_threads_that_make_way_have_a_lower_priority_and_so_have_those_they_start() -> None:
    own = _niceness()
    seen: list[int] = []

    def start_another() -> None:
        thread = threading.Thread(target=lambda: seen.append(_niceness()))
        thread.start()
        thread.join()
        seen.append(_niceness())

    with start_threads("slow", 1, make_way=True) as threads:
        threads.submit(start_another).result()
    assert seen == [min(19, own + 5)] * 2
    with start_threads("usual", 1) as threads:
        assert threads.submit(_niceness).result() == own
    assert _niceness() == own


def test_there_are_as_many_threads_as_asked_for_and_they_are_named() -> None:
    together = threading.Barrier(2)

    def name() -> str:
        together.wait(30)
        return threading.current_thread().name

    with start_threads("pair", 2) as threads:
        names = {future.result() for future in [threads.submit(name), threads.submit(name)]}
    assert names == {"pair_0", "pair_1"}
