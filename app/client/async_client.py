"""The client for asyncio."""

import asyncio
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


class AsyncClient:
    """``Client`` for asyncio, with the same arguments, methods and errors. Tasks of one event loop may share it.

    It reads files, and encodes and decodes images, in threads. Cancelling a task closes its connection, which also ends
    the request in the service. `Segmentation.overlay()` blocks, so call it with `asyncio.to_thread`.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retries: int = 5,
    ) -> None:
        self._core = Core(timeouts, Retries(retries), proxy_of(require_address(url)))
        self._http = open_http(httpx2.AsyncClient, url, key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def segment(self, image: ImageInput, tiling: TilingName | None = None) -> Segmentation:
        """See ``Client.segment``."""
        return await self._run(self._core.segment(image, tiling))

    async def segment_bytes(
        self,
        image: ImageInput,
        format: FormatName = "png",  # noqa: A002 (the parameter's name in the service)
        *,
        mask: MaskName | None = None,
        tiling: TilingName | None = None,
        alpha: float | None = None,
    ) -> bytes:
        """See ``Client.segment_bytes``."""
        return await self._run(self._core.segment_bytes(image, format, mask, tiling, alpha))

    async def classes(self) -> tuple[ClassInfo, ...]:
        """See ``Client.classes``."""
        return await self._run(self._core.classes())

    async def model(self) -> dict[str, Any]:
        """See ``Client.model``."""
        return await self._run(self._core.model())

    async def is_ready(self) -> bool:
        """See ``Client.is_ready``."""
        return await self._run(self._core.is_ready())

    async def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        # Encoding and decoding of large images happen between steps, and may take seconds.
        while not isinstance(step := await asyncio.to_thread(advance, steps, outcome), Done):
            outcome = await self._take(step)
        return step.value

    async def _take(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return await self._response(step)
        except ClientError as error:
            return error

    async def _response(self, call: Call) -> Response:
        with call.failures_named():
            async with self._http.stream(**call.arguments) as response:
                parts = []
                async for part in response.aiter_bytes():
                    call.deadline.require()
                    parts.append(part)
                return Response(response.status_code, response.headers, b"".join(parts))
