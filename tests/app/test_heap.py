import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the allocator is not glibc's")

TRIMMED = """
from app.heap import trim_heap
from app.observability.resident_memory import resident_bytes

blocks = [bytearray(50_000) for _ in range(4_000)]
last = bytearray(50_000)
blocks.clear()
kept = resident_bytes()
trim_heap()
print(kept - resident_bytes())
"""

SHARED = """
import threading

from app.heap import limit_arenas, trim_heap
from app.observability.resident_memory import resident_bytes

limit_arenas()
large = bytearray(30 << 20)
del large  # from now on heaps keep as much at their ends
turns = [threading.Semaphore(0) for _ in range(9)]

def work(number):
    small = bytearray(1_000)  # takes a heap, if there may be one more
    started.wait()
    turns[number].acquire()
    blocks = [bytearray(50_000) for _ in range(1_000)]
    del blocks
    turns[number + 1].release()
    ended.wait()

started, ended = threading.Barrier(9), threading.Barrier(9)
before = resident_bytes()
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
started.wait()
turns[0].release()
turns[8].acquire()
trim_heap()
print(resident_bytes() - before)
ended.wait()
"""


def _told(program: str, **environment: str) -> int:
    bare = {name: value for name, value in os.environ.items() if name not in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")}
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=bare | environment).stdout)


def test_free_memory_goes_back_to_the_system() -> None:
    assert _told(TRIMMED) > 150_000_000


def test_what_threads_have_freed_is_there_for_others() -> None:
    assert _told(SHARED) < 120_000_000


@pytest.mark.parametrize(
    "variable", [{"MALLOC_ARENA_MAX": "16"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=16"}], ids=str
)
def test_what_the_environment_says_holds(variable: dict[str, str]) -> None:
    assert _told(SHARED, **variable) > 250_000_000
