"""The client for programs with asyncio."""

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
    """``Client`` for asyncio: the same arguments, methods and errors. Tasks of one event loop may share it.

    Files are read, and images encoded and decoded, in threads; a task that is cancelled closes its connection, which
    ends its request in the service, too. `Segmentation.overlay()` computes, and so is for `asyncio.to_thread` as well.
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
        """As ``Client.segment``."""
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
        """As ``Client.segment_bytes``."""
        return await self._run(self._core.segment_bytes(image, format, mask, tiling, alpha))

    async def classes(self) -> tuple[ClassInfo, ...]:
        """As ``Client.classes``."""
        return await self._run(self._core.classes())

    async def model(self) -> dict[str, Any]:
        """As ``Client.model``."""
        return await self._run(self._core.model())

    async def is_ready(self) -> bool:
        """As ``Client.is_ready``."""
        return await self._run(self._core.is_ready())

    async def _run(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        # What happens between two steps may take seconds: large images are encoded and decoded there.
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
