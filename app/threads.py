"""Bounded threads of our own, some of which make way for others."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import torch

_NICENESS = 5
"""Niceness of low-priority threads: where both want a processor, the others get three quarters of it."""


def thread_pool(name: str, count: int, *, low_priority: bool = False) -> ThreadPoolExecutor:
    """A pool of threads.

    Args:
        name: of the threads.
        count: of the threads.
        low_priority: whether work in other threads goes first, by the operating system's priorities.
    """
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_lower_priority if low_priority else None)


def single_core_thread_pool(name: str, count: int) -> ThreadPoolExecutor:
    """A pool of threads in each of which PyTorch computes with that thread alone; elsewhere all stays as it is."""
    usual = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_compute_alone)
    # A thread is made when work is submitted and none is idle: these wait until all of them are there.
    all_there = threading.Barrier(count)
    for start in [pool.submit(all_there.wait) for _ in range(count)]:
        start.result()
    # PyTorch's setting is for the thread that makes it and for threads that begin to compute after it.
    torch.set_num_threads(usual)
    return pool


def _compute_alone() -> None:
    # PyTorch takes over the common setting when a thread first asks, and would undo the next line then.
    torch.get_num_threads()
    torch.set_num_threads(1)


def _lower_priority() -> None:
    """Lower the priority of this thread and of those it starts, as the network's own are. Linux alone knows
    priorities of threads.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS))
