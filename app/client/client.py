"""The synchronous client."""

import time
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from app.client.connection import open_http, proxy_of, require_address
from app.client.core import Core
from app.client.errors import ClientError
from app.client.images import ImageInput
from app.client.retries import Retries
from app.client.segmentation import ClassInfo, Segmentation
from app.client.steps import Call, Done, Outcome, Pause, Response, Step, Steps, advance
from app.client.timeouts import DEFAULT_TIMEOUTS, Timeouts
from app.parameters import FormatName, MaskName, TilingName

T = TypeVar("T")


class Client:
    """A client of a running service. Thread-safe; it keeps its connections until it is closed.

    If the queue is full, the service restarts or a connection breaks, the client retries, after the time in
    `Retry-After` or with exponential backoff.

    Args:
        url: the service's URL, e.g. `http://127.0.0.1:8000`, optionally with a path prefix.
        key: API key, if the service requires one.
        timeouts: timeouts of each call.
        retries: maximum number of retries per request.

    Raises:
        ValueError: the URL or the key is invalid, ``retries`` is negative, or the environment's proxy cannot be used.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retries: int = 5,
    ) -> None:
        self._core = Core(timeouts, Retries(retries), proxy_of(require_address(url)))
        self._http = open_http(httpx2.Client, url, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def segment(self, image: ImageInput, tiling: TilingName | None = None) -> Segmentation:
        """Predict the class of every pixel of an image.

        Args:
            image: a path, an open file, a file's bytes, a Pillow image, or a uint8 array, (height, width, 3) RGB or
                (height, width) grey. Files are sent unchanged, Pillow images and arrays losslessly encoded.
            tiling: how the service cuts the image; None is `auto`.

        Raises:
            ServiceError: the service refused the image, or was still unavailable at the last retry.
            ServiceConnectionError: no response arrived, or an incomplete one, even at the last retry.
            ServiceTimeoutError: a timeout was exceeded.
            UnexpectedResponseError: the response is not from this service, or the mask is damaged.
            OSError: the file cannot be read.
            TypeError, ValueError: the image has an unsupported type, shape or dtype, or no pixels.
        """
        return self._run(self._core.segment(image, tiling))

    def segment_bytes(
        self,
        image: ImageInput,
        format: FormatName = "png",  # noqa: A002 (the parameter's name in the service)
        *,
        mask: MaskName | None = None,
        tiling: TilingName | None = None,
        alpha: float | None = None,
    ) -> bytes:
        """Segment an image, and return the whole body of the response.

        Args:
            image: as in ``segment``.
            format: `png` (palette PNG of class indices), `json`, `overlay` (PNG) or `confidence` (grey PNG, 255 times
                the winning class's probability).
            mask: how JSON represents the mask; None is `rows`.
            tiling: as in ``segment``.
            alpha: opacity of the colours in an overlay, 0..1; None is 0.5.

        Raises:
            ClientError, OSError, TypeError, ValueError: as in ``segment``.
        """
        return self._run(self._core.segment_bytes(image, format, mask, tiling, alpha))

    def classes(self) -> tuple[ClassInfo, ...]:
        """The network's classes, by index; void (255), which occurs in no mask, is the last.

        Raises:
            ClientError: as in ``segment``.
        """
        return self._run(self._core.classes())

    def model(self) -> dict[str, Any]:
        """The document of `GET /model`: the loaded checkpoint, its scores, and the limits on inputs.

        Raises:
            ClientError: as in ``segment``.
        """
        return self._run(self._core.model())

    def is_ready(self) -> bool:
        """Whether the service accepts requests now, without retries. Also False if it does not respond.

        Raises:
            ServiceError, UnexpectedResponseError: the response is not from this service.
        """
        return self._run(self._core.is_ready())

    def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        while not isinstance(step := advance(steps, outcome), Done):
            outcome = self._take(step)
        return step.value

    def _take(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return self._response(step)
        except ClientError as error:
            return error

    def _response(self, call: Call) -> Response:
        with call.failures_named(), self._http.stream(**call.arguments) as response:
            parts = []
            for part in response.iter_bytes():
                call.deadline.require()
                parts.append(part)
            return Response(response.status_code, response.headers, b"".join(parts))
