"""Bounded threads of our own, some of which make way for others."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import torch

_NICENESS = 5
"""Of threads that make way: where both want a processor, the others get three quarters of it."""


def start_threads(
    name: str, count: int, *, make_way: bool = False, device: torch.device | None = None
) -> ThreadPoolExecutor:
    """A pool of threads.

    Args:
        name: of the threads.
        count: of the threads.
        make_way: whether work in other threads goes first: by the operating system's priorities, and on a GPU by those
            of streams.
        device: that they compute on, if they do.
    """

    def prepare() -> None:
        if make_way:
            _make_way()
        if device is not None and device.type == "cuda":
            torch.cuda.set_stream(torch.cuda.Stream(device, priority=0 if make_way else -1))  # type: ignore[no-untyped-call]

    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=prepare)


def _make_way() -> None:
    """Lower the priority of this thread and of those it starts, as the network's own are. Linux alone knows
    priorities of threads.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS))
