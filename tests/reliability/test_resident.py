import os
import subprocess
import sys

from benchmarks.reliability.resident import MemoryWatch, promised_bytes, resident_bytes

_MEGABYTE = 2**20

_TAKES_MEMORY = """
import os, sys
{work}
print("ready", flush=True)
sys.stdin.read()
"""
_BYTES = "kept = bytearray(b'x' * (100 << 20))"
_FILE = "file = os.memfd_create('image'); os.write(file, b'x' * (100 << 20))"
_CHILD = f"""
import subprocess
child = subprocess.Popen([sys.executable, "-c", {_TAKES_MEMORY.format(work=_BYTES)!r}], stdout=subprocess.PIPE)
child.stdout.readline()
"""


def resident_of(work: str) -> int:
    """Resident bytes of a process that has done some work."""
    program = _TAKES_MEMORY.format(work=work)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return resident_bytes(process.pid)


def test_memory_is_counted_whoever_has_it_and_in_whichever_way() -> None:
    idle = resident_of("")
    for work in (_BYTES, _FILE, _CHILD):
        assert 95 * _MEGABYTE < resident_of(work) - idle < 130 * _MEGABYTE


def test_a_file_that_several_have_open_is_counted_once() -> None:
    child = (
        'import subprocess; subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=[file])'
    )
    assert 95 * _MEGABYTE < resident_of(f"{_FILE}; {child}") - resident_of("") < 150 * _MEGABYTE


def test_a_watch_keeps_the_peak() -> None:
    with MemoryWatch(os.getpid(), period_s=0.01) as memory:
        before = len(memory.samples)
        kept = bytearray(b"x" * (100 * _MEGABYTE))
        while len(memory.samples) < before + 2:
            assert kept
        del kept
    assert memory.peak_bytes - resident_bytes(os.getpid()) > 50 * _MEGABYTE


def test_the_promise_is_read_from_the_log() -> None:
    line = '{"message":"memory: at most 6261 MB (program and network 1803, ...)"}\n'
    assert promised_bytes(line) == 6_261_000_000
    assert promised_bytes(2 * line) == 2 * 6_261_000_000
