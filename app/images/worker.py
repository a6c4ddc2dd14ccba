"""``python -m app.images.worker``: a process that reads image files for the service, since a file may crash or hang
its decoder.

The process holds only the current file, keeps to its limits of memory and time, and ends with the service.
"""

import ctypes
import json
import math
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.decode import FORMATS, Allocate, Header, decode_image, read_header
from app.images.limits import ResourceLimits
from app.problems import TOO_COSTLY, ProblemError
from model.errors import ImageDamagedError

MESSAGE_BYTES = 1 << 16
"""Maximum message size in bytes."""

_DETAIL_CHARACTERS = 500
"""Maximum characters of a library's error message; some messages quote the file."""

_SMALL_BYTES = 4 << 20
"""Maximum bytes of an image whose memory pages are populated when they are mapped."""

_SIGNAL_AT_PARENTS_DEATH = 1
"""``PR_SET_PDEATHSIG`` of prctl(2)."""

ReadHeader = Callable[[BinaryIO, int], Header]
DecodeImage = Callable[[BinaryIO, Allocate], NDArray[np.uint8]]


def run(read_header: ReadHeader = read_header, decode_image: DecodeImage = decode_image) -> None:
    """Answer requests from a socket until its other end is closed.

    The process's arguments are the socket's descriptor and the maximum pixels per image. A request is a
    ``ResourceLimits``, sent with the descriptor of the image file and, to decode the image rather than read its header,
    that of memory for its pixels.

    Args:
        read_header: like ``app.images.decode.read_header``.
        decode_image: like ``app.images.decode.decode_image``.
    """
    channel, max_pixels = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    _live_as_long_as_the_service()
    _know_only(FORMATS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    channel.send(b"ready")
    # Libraries write warnings about untrusted files to standard error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 2)
        if not message:
            return
        with os.fdopen(descriptors[0], "rb") as file:
            file.seek(0)
            if len(descriptors) == 1:
                answer = _answer(message, lambda: asdict(read_header(file, max_pixels)))
            else:
                answer = _answer(message, lambda: _decode(decode_image, file, descriptors[1]))  # noqa: B023
        channel.send(answer)


def _answer(message: bytes, work: Callable[[], dict[str, Any]]) -> bytes:
    try:
        with limited(ResourceLimits(**json.loads(message))):
            answer = work()
    except ProblemError as error:
        answer = {"problem": error.problem.slug, "detail": error.detail[:_DETAIL_CHARACTERS]}
    except MemoryError:
        answer = {"problem": TOO_COSTLY.slug, "detail": "the image needs more memory than its size allows"}
    return json.dumps(answer).encode()


def _decode(decode_image: DecodeImage, file: BinaryIO, descriptor: int) -> dict[str, Any]:
    """Decode a file into shared memory, whose size follows from its header."""
    size_bytes = os.fstat(descriptor).st_size
    # Populating all pages at once is faster; populating each when it is filled saves memory.
    at_once = mmap.MAP_POPULATE if size_bytes <= _SMALL_BYTES else 0
    memory = mmap.mmap(descriptor, size_bytes, mmap.MAP_SHARED | at_once)
    os.close(descriptor)

    def allocate(height: int, width: int) -> NDArray[np.uint8]:
        if height * width * 3 > size_bytes:
            raise ImageDamagedError(f"the image is larger than its header says: {width} x {height} pixels")
        return np.frombuffer(memory, np.uint8, height * width * 3).reshape(height, width, 3)

    height, width, _ = decode_image(file, allocate).shape
    return {"height": height, "width": width}


@contextmanager
def limited(limits: ResourceLimits) -> Iterator[None]:
    """Make allocations above the memory limit fail, and end the process when its CPU time is used up."""
    taken_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, taken_bytes + limits.memory_bytes)
    _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + limits.processor_s))
    try:
        yield
    finally:
        _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        _limit(resource.RLIMIT_CPU, resource.RLIM_INFINITY)


def _limit(kind: int, value: int) -> None:
    most = resource.getrlimit(kind)[1]
    limits = [limit for limit in (value, most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(limits, default=resource.RLIM_INFINITY), most))


def _live_as_long_as_the_service() -> None:
    """Ignore termination signals: only the service ends this process, by closing the socket or by ending itself,
    since accepted requests must be finished.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    with suppress(OSError):  # some containers forbid it
        # When memory runs out, the system should kill this process rather than the service.
        Path("/proc/self/oom_score_adj").write_text("1000")


def _know_only(formats: tuple[str, ...]) -> None:
    Image.preinit()
    for name in Image.OPEN.keys() - set(formats):
        del Image.OPEN[name]


if __name__ == "__main__":
    run()
