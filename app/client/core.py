"""The logic that both clients share, as steps."""

import logging
from dataclasses import dataclass, field
from typing import Any

from app.client import images, responses
from app.client.errors import (
    ServiceConnectionError,
    ServiceTimeoutError,
    ServiceUnavailableError,
    UnexpectedResponseError,
)
from app.client.images import ImageInput
from app.client.masks import decode_mask
from app.client.responses import JSON, PNG
from app.client.retries import Retries
from app.client.segmentation import ClassInfo, Segmentation, shares
from app.client.steps import Call, Pause, Request, Response, Steps
from app.client.timeouts import Deadline, Timeouts
from app.parameters import FormatName, MaskName, TilingName

_MASKS_WITHOUT_NAMES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Core:
    """The service's HTTP interface.

    Attributes:
        timeouts: timeouts of each call.
        retries: retries of each request.
        proxy: proxy used to reach the service; None if there is none.
    """

    timeouts: Timeouts
    retries: Retries
    proxy: str | None = None
    _classes: dict[str, tuple[ClassInfo, ...]] = field(default_factory=dict, repr=False)
    """Cached classes, by the digest of their checkpoint."""

    def segment(self, image: ImageInput, tiling: TilingName | None) -> Steps[Segmentation]:
        """Request the mask as a palette PNG, and the classes' names separately, once per checkpoint.

        A JSON document with the same PNG in base64 would bring both at once, but it is sent only when it is complete: a
        large image would have to be ready within the service's deadline, and the service would count the memory for
        its mask. The PNG of a large image is streamed, in memory that does not grow with the image.
        """
        data = images.encode(image)
        deadline = Deadline(self.timeouts.total_s)
        for _ in range(_MASKS_WITHOUT_NAMES):
            response = yield from self._post(data, _given(format="png", tiling=tiling), PNG, deadline)
            digest = responses.digest(response)
            classes = yield from self._classes_of(digest, deadline)
            if classes is not None:
                mask = decode_mask(response.body)
                request_id = response.headers.get(responses.REQUEST_ID_HEADER)
                found = shares(mask, classes)
                return Segmentation(mask, found, digest, request_id, responses.stages(response), data)
        raise UnexpectedResponseError("the service's weights change from one request to the next")

    def segment_bytes(
        self,
        image: ImageInput,
        format: FormatName,  # noqa: A002 (the parameter's name in the service)
        mask: MaskName | None,
        tiling: TilingName | None,
        alpha: float | None,
    ) -> Steps[bytes]:
        parameters = _given(format=format, mask=mask, tiling=tiling, alpha=alpha)
        media_type = JSON if format == "json" else PNG
        response = yield from self._post(images.encode(image), parameters, media_type, Deadline(self.timeouts.total_s))
        return response.body

    def classes(self) -> Steps[tuple[ClassInfo, ...]]:
        return (yield from self._ask_classes(Deadline(self.timeouts.total_s)))

    def model(self) -> Steps[dict[str, Any]]:
        response = yield from self._ask(Request("GET", "/model"), JSON, Deadline(self.timeouts.total_s))
        return responses.document(response)

    def is_ready(self) -> Steps[bool]:
        try:
            yield from self._ask_once(Request("GET", "/readyz"), JSON, Deadline(self.timeouts.total_s))
        except (ServiceUnavailableError, ServiceConnectionError, ServiceTimeoutError):
            return False
        return True

    def _classes_of(self, digest: str, deadline: Deadline) -> Steps[tuple[ClassInfo, ...] | None]:
        """The classes of a checkpoint; None if the service has loaded another one meanwhile."""
        if digest not in self._classes:
            classes = yield from self._ask_classes(deadline)
            # Requested after the classes, to detect weights that were replaced before them.
            response = yield from self._ask(Request("GET", "/model"), JSON, deadline)
            if responses.document(response).get("sha256") != digest:
                return None
            self._classes[digest] = classes
        return self._classes[digest]

    def _ask_classes(self, deadline: Deadline) -> Steps[tuple[ClassInfo, ...]]:
        response = yield from self._ask(Request("GET", "/classes"), JSON, deadline)
        try:
            return tuple(
                ClassInfo(int(told["index"]), str(told["name"]), _color(told["color"]))
                for told in responses.document(response)["classes"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResponseError(f"the response is not a table of classes: {error}") from error

    def _post(self, data: bytes, parameters: dict[str, str], media_type: str, deadline: Deadline) -> Steps[Response]:
        return (yield from self._ask(Request("POST", "/segment", parameters, data), media_type, deadline))

    def _ask(self, request: Request, media_type: str, deadline: Deadline) -> Steps[Response]:
        """Send a request, with retries, and return the complete response."""
        tried = 0
        while True:
            try:
                return (yield from self._ask_once(request, media_type, deadline))
            except (ServiceUnavailableError, ServiceConnectionError) as error:
                pause_s = self.retries.pause_s(error, tried)
                if tried >= self.retries.number or pause_s >= deadline.left_s:
                    raise
                tried += 1
                _log.info("%s; retry %d of %d in %.1f s", error, tried, self.retries.number, pause_s)
            yield Pause(pause_s)

    def _ask_once(self, request: Request, media_type: str, deadline: Deadline) -> Steps[Response]:
        deadline.require()
        response = yield Call(request, self.timeouts, deadline, self.proxy)
        assert response is not None
        responses.require_whole(response, media_type)
        return response


def _given(**parameters: object) -> dict[str, str]:
    """Query parameters that are not None; for the others, the service's defaults apply."""
    return {name: str(value) for name, value in parameters.items() if value is not None}


def _color(told: list[int]) -> tuple[int, int, int]:
    red, green, blue = told
    return red, green, blue
