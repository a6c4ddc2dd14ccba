"""Label Studio's protocol of machine learning backends."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import httpx2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.client import Client, ClientError
from examples.label_studio.files import Files
from examples.label_studio.regions import Control, Region, controls

Document: TypeAlias = dict[str, Any]

_REQUESTS_AT_ONCE = 4
_VERSION_LENGTH = 12

_log = logging.getLogger("uvicorn.error")


class Backend:
    """Handles Label Studio's requests.

    Args:
        client: client of the service.
        files: reader of the tasks' images.
    """

    def __init__(self, client: Client, files: Files) -> None:
        self._client = client
        self._files = files

    async def health(self, _: Request) -> JSONResponse:
        """Report whether the service is ready; 503 if not."""
        if not await run_in_threadpool(self._client.is_ready):
            raise HTTPException(503, "the service is not ready")
        return JSONResponse({"status": "UP", "model_class": "fcn-segmentation"})

    async def setup(self, request: Request) -> JSONResponse:
        """Check that the project has tags for masks, and return the version of the weights."""
        _require_controls((await request.json())["schema"])
        return JSONResponse({"model_version": await run_in_threadpool(self._version)})

    async def versions(self, _: Request) -> JSONResponse:
        """Return the version of the weights that serve."""
        return JSONResponse({"versions": [await run_in_threadpool(self._version)]})

    async def predict(self, request: Request) -> JSONResponse:
        """Return a prediction for each task."""
        document = await request.json()
        found = _require_controls(document["label_config"])
        return JSONResponse({"results": await run_in_threadpool(self._predictions, document["tasks"], found)})

    async def ignore(self, _: Request) -> JSONResponse:
        """Accept and ignore annotations and training requests: the service does not learn from them."""
        return JSONResponse({})

    def _version(self) -> str:
        sha256: str = self._client.model()["sha256"]
        return sha256[:_VERSION_LENGTH]

    def _predictions(self, tasks: Sequence[Document], found: Sequence[Control]) -> list[object]:
        """Prediction of each task, or an empty list: an empty prediction would claim that nothing was found."""
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
            predictions = list(threads.map(lambda task: self._prediction(task, found), tasks))
        if predictions == [None]:
            raise HTTPException(502, "the task's image cannot be segmented")
        return [[] if prediction is None else prediction for prediction in predictions]

    def _prediction(self, task: Document, found: Sequence[Control]) -> Document | None:
        """Prediction of a task; None if its image cannot be read or segmented."""
        regions: list[Region] = []
        version = None
        try:
            for key in dict.fromkeys(control.image_key for control in found):
                segmentation = self._client.segment(self._files.read(task["data"][key]))
                version = segmentation.checkpoint[:_VERSION_LENGTH]
                for control in found:
                    if control.image_key == key:
                        regions += control.regions(segmentation)
        except (ClientError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError) as error:
            _log.warning("task %.100r: %s: %s", task, type(error).__name__, error)
            return None
        return {"result": regions, "model_version": version}


def create_backend(client: Client, files: Files) -> Starlette:
    """Create the backend's application."""
    backend = Backend(client, files)
    return Starlette(
        routes=[
            Route("/", backend.health),
            Route("/health", backend.health),
            Route("/setup", backend.setup, methods=["POST"]),
            Route("/versions", backend.versions),
            Route("/predict", backend.predict, methods=["POST"]),
            Route("/train", backend.ignore, methods=["POST"]),
            Route("/webhook", backend.ignore, methods=["POST"]),
        ],
        exception_handlers={
            ValueError: _malformed,
            KeyError: _malformed,
            RecursionError: _malformed,
            TypeError: _malformed,
            ClientError: _unavailable,
        },
    )


def _require_controls(config: object) -> list[Control]:
    try:
        found = controls(str(config))
    except Exception as error:  # the SDK's parser raises plain Exception
        raise HTTPException(400, f"the labelling interface cannot be read: {error}") from error
    if not found:
        raise HTTPException(400, "the labelling interface has neither BrushLabels nor PolygonLabels for an image")
    return found


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"the request is not one of Label Studio's: {error!r}"}, status_code=400)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"the service: {error}"}, status_code=502)
