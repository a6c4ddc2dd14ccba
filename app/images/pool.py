"""Image decoders: processes that read untrusted files, so that a file that crashes one harms no other request.

Only Linux can share memory by descriptor; on other systems, images are decoded in the service's own process, without
that protection.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO, FileIO
from queue import LifoQueue
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.images.decode import Header
from app.images.limits import (
    DEFAULT_TIME_LIMITS,
    DecoderDiedError,
    DecoderTimeoutError,
    TimeLimits,
    decoding_bytes,
    decoding_limits,
    header_limits,
)
from app.observability.logs import FIELDS
from app.problems import DECODER_UNAVAILABLE, DRAINING, IMAGE_DAMAGED, ProblemError
from app.threads import thread_pool

if sys.platform == "linux":
    from app.images.process import DecoderProcess as Decoder
else:
    from app.images.in_process import InProcessDecoder as Decoder

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


class _MemoryFile(FileIO):
    """A file in memory that can be passed to a process; closing or collecting the object frees the memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__(os.memfd_create("image"), "w+b")
        self.write(data)

    def __del__(self) -> None:
        self.close()


class ImageFile:
    """An image file whose header has been read.

    Attributes:
        header: the file's header.
        file: the file, in memory.
        file_bytes: size of the file.
        decode_bytes: estimated peak memory of decoding in bytes, including the file and the result.
    """

    def __init__(self, header: Header, file: BinaryIO, file_bytes: int) -> None:
        self.header = header
        self.file = file
        self.file_bytes = file_bytes
        self.decode_bytes = decoding_bytes(header, file_bytes)

    @property
    def format(self) -> str:
        return self.header.format

    @property
    def mode(self) -> str:
        return self.header.mode

    @property
    def height(self) -> int:
        return self.header.height

    @property
    def width(self) -> int:
        return self.header.width

    def decode(self, decoders: "Decoders", raise_if_cancelled: Callable[[], None]) -> NDArray[np.uint8]:
        """Decode the image; see ``Decoders.decode``."""
        return decoders.decode(self, raise_if_cancelled)

    def close(self) -> None:
        """Free the file's memory now rather than when the file is garbage-collected."""
        self.file.close()


class Decoders:
    """A pool of decoders, each started when first needed, and replaced when it has ended. Thread-safe.

    Args:
        count: number of images read at once; more wait for their turn.
        max_pixels: maximum pixels per image.
        low_priority: whether the decoders run at a low operating-system priority.
        limits: time limits per image.
        module: the module that decoders run.
        on_failure: called with ``crashed`` when an image has crashed a decoder, and with ``timed_out`` when a decoder
            was ended because an image took too long.
    """

    def __init__(
        self,
        count: int,
        max_pixels: int,
        *,
        low_priority: bool = False,
        limits: TimeLimits = DEFAULT_TIME_LIMITS,
        module: str = "app.images.worker",
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._on_failure = on_failure
        self._count = count
        self._max_pixels = max_pixels
        self._limits = limits
        self._module = module
        # A process ends with the thread that started it; this one lives as long as the decoders.
        self._starter = thread_pool("decoder-starter", 1, low_priority=low_priority)
        self._idle: LifoQueue[Decoder | None] = LifoQueue()
        for _ in range(count):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._living: set[Decoder] = set()
        self._is_closed = False

    @property
    def process_ids(self) -> list[int]:
        with self._lock:
            return [decoder.id for decoder in self._living]

    def start(self) -> None:
        """Start all decoders now, rather than when they are first needed.

        Raises:
            ProblemError: a decoder cannot be started.
        """
        with ExitStack() as taken:
            for _ in range(self._count):
                taken.enter_context(self._decoder())

    def open(self, data: bytes) -> ImageFile:
        """Read an image file's header.

        Raises:
            ProblemError: not an image, an unsupported format or pixel layout, or no decoder is available.
        """
        try:
            file = _MemoryFile(data) if sys.platform == "linux" else BytesIO(data)
        except OSError as error:
            raise _unavailable(error) from error
        limits = header_limits(data, self._max_pixels, self._limits)
        try:
            header = self._try(lambda decoder: decoder.read_header(file, limits))
        except BaseException:
            # The exception's traceback would keep the file in memory.
            file.close()
            raise
        return ImageFile(header, file, len(data))

    def decode(self, file: ImageFile, raise_if_cancelled: Callable[[], None] = lambda: None) -> NDArray[np.uint8]:
        """Decode an image whose header has been read, by this pool or another.

        Args:
            file: an image file.
            raise_if_cancelled: called when the image's turn has come; its exception ends the work.

        Returns:
            (height, width, 3), uint8 RGB, read-only.

        Raises:
            ProblemError: damaged, an unsupported pixel layout, too costly, or no decoder is available.
        """
        pixels = file.header.pixels
        limits = decoding_limits(file.header, file.file_bytes, self._limits)

        def decode(decoder: Decoder) -> NDArray[np.uint8]:
            raise_if_cancelled()
            return decoder.decode_image(file.file, pixels, limits)

        return self._try(decode)

    def close(self) -> None:
        """Kill all decoders, even busy ones."""
        with self._lock:
            self._is_closed = True
            for decoder in self._living:
                decoder.kill()
        for _ in range(self._count):
            self._end(self._idle.get())
        for _ in range(self._count):
            self._idle.put(None)
        self._starter.shutdown()

    def _try(self, work: Callable[[Decoder], _Result]) -> _Result:
        """Run ``work`` in a decoder; retry once if the decoder died, which need not have been the image's fault."""
        try:
            return self._try_once(work)
        except DecoderDiedError:
            pass
        try:
            return self._try_once(work)
        except DecoderDiedError as death:
            raise ProblemError(
                IMAGE_DAMAGED, f"the image cannot be read: the decoder crashed on it ({death})"
            ) from death

    def _try_once(self, work: Callable[[Decoder], _Result]) -> _Result:
        with self._decoder() as decoder:
            try:
                return work(decoder)
            except DecoderDiedError as death:
                self._require_open()
                self._on_failure("crashed")
                _log.warning("a decoder crashed on an image", extra={FIELDS: {"end": str(death)}})
                raise
            except DecoderTimeoutError as end:
                self._on_failure("timed_out")
                _log.warning("a decoder took too long for an image and was ended", extra={FIELDS: {"limit": str(end)}})
                raise ProblemError(IMAGE_DAMAGED, f"the image cannot be read: it took longer than {end}") from end
            except OSError as error:
                raise _unavailable(error) from error

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        decoder = self._idle.get()
        try:
            if decoder is None or not decoder.is_alive:
                decoder = self._replacement(decoder)
            yield decoder
        finally:
            self._idle.put(decoder)

    def _replacement(self, former: Decoder | None) -> Decoder:
        self._end(former)
        self._require_open()
        try:
            try:
                decoder = self._start()
            except OSError as error:
                _log.warning("a decoder cannot be started", extra={FIELDS: {"error": str(error)}})
                decoder = self._start()
        except (OSError, RuntimeError) as error:  # RuntimeError: the system refuses a thread
            raise _unavailable(error) from error
        with self._lock:
            self._living.add(decoder)
            if self._is_closed:
                decoder.kill()
        return decoder

    def _start(self) -> Decoder:
        return self._starter.submit(Decoder, self._module, self._max_pixels).result()

    def _require_open(self) -> None:
        if self._is_closed:
            raise ProblemError(DRAINING, "the service is shutting down", retry_after_s=1, is_last=True)

    def _end(self, decoder: Decoder | None) -> None:
        if decoder is not None:
            with self._lock:
                self._living.discard(decoder)
            decoder.end()


def _unavailable(error: Exception) -> ProblemError:
    detail = f"the system lacks the resources to read the image: {error}"
    return ProblemError(DECODER_UNAVAILABLE, detail, retry_after_s=1)
