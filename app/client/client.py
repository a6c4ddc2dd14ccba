"""The client for programs with threads, or with nothing of the kind."""

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
    """Asks a running service. Threads may share one; its connections are kept until it is closed.

    A full queue, a service that is being started again and a broken connection are waited for and tried again: as long
    as `Retry-After` says, or else longer from try to try.

    Args:
        url: of the service, as `http://127.0.0.1:8000`; a path before the service's own may follow.
        key: API key, where the service wants one.
        timeouts: of each call.
        retries: tries of each request after the first.

    Raises:
        ValueError: the URL is no address, the key cannot be one, ``retries`` is negative, or the environment's proxy
            cannot be used.
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
        """The class of every pixel of an image.

        Args:
            image: a path, an open file, a file's bytes, a Pillow picture, or a uint8 array, (height, width, 3) RGB or
                (height, width) grey. Files are sent as they are; pictures and arrays without loss.
            tiling: how the service cuts it; None is `auto`.

        Raises:
            ServiceError: the service refuses the image, or has no room and did not have any in the last try.
            ServiceConnectionError: no response came, or it broke off, in the last try.
            ServiceTimeoutError: one of the timeouts has passed.
            UnexpectedResponseError: what answered is not the service, or the mask is damaged.
            OSError: the file cannot be read.
            TypeError, ValueError: the image is none.
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
        """The service's response as it is, whole.

        Args:
            image: as in ``segment``.
            format: `png` (palette PNG of class indices), `json`, `overlay` (PNG) or `confidence` (grey PNG, 255 times
                the winning class's probability).
            mask: how JSON carries the mask; None is `rows`.
            tiling: as in ``segment``.
            alpha: share of the colours in an overlay, 0..1; None is 0.5.

        Raises:
            ClientError, OSError, TypeError, ValueError: as in ``segment``.
        """
        return self._run(self._core.segment_bytes(image, format, mask, tiling, alpha))

    def classes(self) -> tuple[ClassInfo, ...]:
        """The classes that the network tells apart, by index; void (255), which no mask has, last.

        Raises:
            ClientError: as in ``segment``.
        """
        return self._run(self._core.classes())

    def model(self) -> dict[str, Any]:
        """The document of `GET /model`: the loaded checkpoint, its scores, and what inputs may be.

        Raises:
            ClientError: as in ``segment``.
        """
        return self._run(self._core.model())

    def is_ready(self) -> bool:
        """Whether the service takes requests now; asked once. False as well if nothing answers.

        Raises:
            ServiceError, UnexpectedResponseError: what answers is not the service.
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
