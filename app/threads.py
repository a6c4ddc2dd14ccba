"""Bounded thread pools, some with a low priority."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import torch

_NICENESS = 5
"""Niceness of low-priority threads: on a contended processor, other threads get three quarters of the time."""


def thread_pool(name: str, count: int, *, low_priority: bool = False) -> ThreadPoolExecutor:
    """Make a pool of threads.

    Args:
        name: name prefix of the threads.
        count: number of threads.
        low_priority: whether the threads run at a low operating-system priority.
    """
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_lower_priority if low_priority else None)


def single_core_thread_pool(name: str, count: int) -> ThreadPoolExecutor:
    """Make a pool of threads in which PyTorch uses no other threads; PyTorch's setting elsewhere is unchanged."""
    usual = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_compute_alone)
    # The pool starts a thread when work is submitted and no thread is idle, so each task waits until all have started.
    all_there = threading.Barrier(count)
    for start in [pool.submit(all_there.wait) for _ in range(count)]:
        start.result()
    # PyTorch's setting applies to the calling thread, and to threads that start to compute later.
    torch.set_num_threads(usual)
    return pool


def _compute_alone() -> None:
    # PyTorch copies the global setting at a thread's first query, which would otherwise undo the next line.
    torch.get_num_threads()
    torch.set_num_threads(1)


def _lower_priority() -> None:
    """Lower the priority of this thread and of the threads that it starts, e.g. the network's. Only Linux has
    priorities per thread.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS))
