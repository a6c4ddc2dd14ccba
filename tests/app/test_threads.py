import os
import sys
import threading

import pytest
import torch

from app.threads import single_core_thread_pool, thread_pool


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

    with thread_pool("slow", 1, low_priority=True) as threads:
        threads.submit(start_another).result()
    assert seen == [min(19, own + 5)] * 2
    with thread_pool("usual", 1) as threads:
        assert threads.submit(_niceness).result() == own
    assert _niceness() == own


def test_there_are_as_many_threads_as_asked_for_and_they_are_named() -> None:
    together = threading.Barrier(2)

    def name() -> str:
        together.wait(30)
        return threading.current_thread().name

    with thread_pool("pair", 2) as threads:
        names = {future.result() for future in [threads.submit(name), threads.submit(name)]}
    assert names == {"pair_0", "pair_1"}


def test_threads_of_one_core_compute_alone_and_others_as_before() -> None:
    usual = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with single_core_thread_pool("core", 2) as threads:
            assert {threads.submit(torch.get_num_threads).result() for _ in range(8)} == {1}
            assert torch.get_num_threads() == 3
            with thread_pool("other", 1) as others:
                assert others.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(usual)
