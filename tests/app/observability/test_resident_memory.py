import mmap
import subprocess
import sys

import pytest

from app.observability.resident_memory import resident_bytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells")

HOLDER = "held = bytes(100_000_000); held = bytearray(held); print('held', flush=True); input()"


def test_memory_of_this_process_and_its_children_is_counted() -> None:
    before = resident_bytes()
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert 100e6 < resident_bytes() - before < 400e6
        child.communicate(b"\n")
    assert resident_bytes() < before + 50e6
    # New pages: a bytearray might reuse memory that this process has kept.
    with mmap.mmap(-1, 100_000_000) as held:
        held.write(bytes(100_000_000))
        assert resident_bytes() > before + 90e6
