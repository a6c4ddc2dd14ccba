"""The service's end of a decoder: a separate process, which may crash or hang without harming the service."""

import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.images.decode import Header
from app.images.limits import DecoderDiedError, DecoderTimeoutError, ResourceLimits
from app.images.worker import MESSAGE_BYTES
from app.problems import PROBLEMS, ProblemError

_START_S = 60
"""Seconds within which a new process must be ready; usually 0.2, but longer on a busy machine."""

_FRUGAL = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),
}
"""Environment variables of decoder processes: they make them keep hardly any memory between images."""

_END_S = 10
"""Seconds within which a process must end after it has closed its end of the socket."""


class DecoderProcess:
    """A decoder process. Use it from one thread at a time.

    Args:
        module: the module that the process runs.
        max_pixels: maximum pixels per image.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, module: str, max_pixels: int) -> None:
        self._channel, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other_end:
            try:
                self._process = _start(module, other_end.fileno(), max_pixels)
            except OSError:
                self._channel.close()
                raise
        self._channel.settimeout(_START_S)
        try:
            is_ready = bool(self._channel.recv(MESSAGE_BYTES))
        except OSError:
            is_ready = False
        if not is_ready:
            self.end()
            raise OSError(f"a decoder ended with exit code {self._process.returncode} before it was ready")

    @property
    def id(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def read_header(self, file: BinaryIO, limits: ResourceLimits) -> Header:
        """Read the header of an image file.

        Raises:
            ProblemError: the header cannot be read.
            DecoderDiedError, DecoderTimeoutError: the process crashed on it or took too long, and has ended.
        """
        return Header(**self._ask(limits, file.fileno()))

    def decode_image(self, file: BinaryIO, pixels: int, limits: ResourceLimits) -> NDArray[np.uint8]:
        """Decode an image file.

        Args:
            file: an image file.
            pixels: number of pixels according to the header.
            limits: the decoder's limits for this file.

        Returns:
            (height, width, 3), uint8 RGB, read-only, in shared memory that is freed with the array.

        Raises:
            ProblemError: the image cannot be decoded.
            DecoderDiedError, DecoderTimeoutError: the process crashed on it or took too long, and has ended.
        """
        with _shared_memory(pixels * 3) as memory:
            size = self._ask(limits, file.fileno(), memory)
            mapping = mmap.mmap(memory, pixels * 3, access=mmap.ACCESS_READ)
        height, width = int(size["height"]), int(size["width"])
        return np.frombuffer(mapping, np.uint8, height * width * 3).reshape(height, width, 3)

    def kill(self) -> None:
        """Kill the process, even if it is busy; any thread may call this."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process, and wait until it has ended."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def _ask(self, limits: ResourceLimits, *descriptors: int) -> dict[str, Any]:
        self._channel.settimeout(limits.timeout_s)
        try:
            socket.send_fds(self._channel, [json.dumps(asdict(limits)).encode()], descriptors)
            message = self._channel.recv(MESSAGE_BYTES)
        except TimeoutError:
            self.end()
            raise DecoderTimeoutError(f"{limits.timeout_s} s") from None
        except OSError:
            message = b""
        if not message:
            raise self._death(limits)
        answer: dict[str, Any] = json.loads(message)
        if "problem" in answer:
            raise ProblemError(PROBLEMS[answer["problem"]], answer["detail"])
        return answer

    def _death(self, limits: ResourceLimits) -> DecoderDiedError | DecoderTimeoutError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self.end()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return DecoderTimeoutError(f"{limits.processor_s} s")
        return DecoderDiedError(signal.Signals(-code).name if code < 0 else f"exit code {code}")


def _start(module: str, channel: int, max_pixels: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", module, str(channel), str(max_pixels)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[channel],
        cwd=Path(__file__).parents[2],  # where Python finds the module
        env={**os.environ, **_FRUGAL},
        start_new_session=True,  # the terminal's signals are for the service only
    )


@contextmanager
def _shared_memory(size_bytes: int) -> Iterator[int]:
    """Descriptor of shared memory of sealed size: the decoder cannot shrink it while the service reads it."""
    memory = os.memfd_create("pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memory, size_bytes)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        yield memory
    finally:
        os.close(memory)
