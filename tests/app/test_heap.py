import subprocess
import sys

import pytest

PROGRAM = """
from app.heap import trim_heap
from app.observability.resident_memory import resident_bytes

blocks = [bytearray(50_000) for _ in range(4_000)]
last = bytearray(50_000)
blocks.clear()
kept = resident_bytes()
trim_heap()
print(kept - resident_bytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is not glibc's")
def test_free_memory_goes_back_to_the_system() -> None:
    freed = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
    assert int(freed) > 150_000_000
