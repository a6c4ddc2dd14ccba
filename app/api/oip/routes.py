"""``/v2``: the Open Inference Protocol."""

import asyncio
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from app import __version__, problems
from app.api.auth.dependencies import limit_rate, require
from app.api.auth.keys import KeyScope
from app.api.dependencies import ServiceDependency, SettingsDependency
from app.api.health import require_live, require_ready
from app.api.oip import metadata
from app.api.oip.body import LENGTH_HEADER, Body, Reserve, read_body
from app.api.oip.inference import Inference, parse, parsing_bytes
from app.api.oip.schemas import (
    MODEL,
    IndexEntry,
    InferenceError,
    InferenceRequest,
    InferenceResponse,
    ModelConfiguration,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from app.api.oip_error import PREFIX
from app.api.openapi import by_status
from app.api.responses import HEADERS, PROBLEMS, respond
from app.api.state import state_of
from app.api.uploads import UploadLimits, announced_bytes
from app.formats.tensors import version as version_of
from app.pipeline.admission import Admission
from app.pipeline.request import RAW_PIXEL_BYTES, SegmentRequest
from app.pipeline.service import Service
from app.problems import NOT_FOUND, Problem, ProblemError
from model.segmenter import Segmenter

_SHORT_BYTES = 1 << 16
"""Maximum bytes of JSON that are parsed in the event loop; longer JSON is parsed in a thread."""

router = APIRouter(prefix=PREFIX, tags=["open inference protocol"])


def _errors(*kinds: Problem) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may raise these problems, as errors of the protocol."""
    return {
        status: {
            "model": InferenceError,
            "description": " ".join(kind.description for kind in told),
            "content": {
                "application/json": {"examples": {kind.slug: {"value": {"error": kind.description}} for kind in told}}
            },
        }
        for status, told in by_status(kinds).items()
    }


async def _require_model(
    model: Annotated[
        str, Path(description="Name of the only model.", examples=[MODEL], json_schema_extra={"enum": [MODEL]})
    ],
) -> None:
    if model != MODEL:
        raise ProblemError(NOT_FOUND, f"there is no model {model[:100]!r}; the only one is {MODEL}")


def _check_version(asked: str, segmenter: Segmenter) -> None:
    if asked != (served := version_of(segmenter.checkpoint.digest)):
        raise ProblemError(NOT_FOUND, f"there is no version {asked[:100]!r} of {MODEL}; the current one is {served}")


async def _require_version(service: ServiceDependency, version: str) -> None:
    _check_version(version, service.segmenter)


_ONE_MODEL = Depends(_require_model)
_ONE_VERSION = Depends(_require_version)
_KEY = require(KeyScope.SEGMENT)

_PATH = "/models/{model}"
_VERSION_PATH = "/models/{model}/versions/{version}"

_NOT_READY = (problems.NOT_READY, problems.DRAINING, problems.DEVICE_FAILED)
_NO_KEY = (problems.UNAUTHORIZED, problems.FORBIDDEN)
_TOLD_OF_MODEL = _errors(*_NO_KEY, problems.NOT_FOUND, problems.INVALID_REQUEST, problems.NOT_READY)


@router.get("/health/live", summary="Is the process alive?", responses=_errors(problems.DEVICE_FAILED))
async def live(request: Request) -> ServerLive:
    """Like `/livez`."""
    require_live(state_of(request.app).service)
    return ServerLive(live=True)


@router.get("/health/ready", summary="Is the service ready?", responses=_errors(*_NOT_READY))
async def ready(service: ServiceDependency) -> ServerReady:
    """Like `/readyz`."""
    require_ready(service)
    return ServerReady(ready=True)


@router.get(
    f"{_VERSION_PATH}/ready", dependencies=[_ONE_MODEL, _ONE_VERSION], include_in_schema=False, name="version_ready"
)
@router.get(
    f"{_PATH}/ready",
    summary="Is the model ready?",
    dependencies=[_ONE_MODEL],
    responses=_errors(problems.NOT_FOUND, problems.INVALID_REQUEST, *_NOT_READY),
)
async def model_ready(service: ServiceDependency) -> ModelReady:
    """Like `/readyz`."""
    require_ready(service)
    return ModelReady(name=MODEL, ready=True)


@router.get("", summary="The server", dependencies=[_KEY], responses=_errors(*_NO_KEY))
async def server() -> ServerMetadata:
    """The server's name, version, and supported extensions of the protocol."""
    return ServerMetadata(
        name="fcn-segmentation", version=__version__, extensions=["binary_tensor_data", "model_configuration"]
    )


@router.get(_VERSION_PATH, dependencies=[_KEY, _ONE_MODEL, _ONE_VERSION], include_in_schema=False, name="version")
@router.get(_PATH, summary="The model's tensors", dependencies=[_KEY, _ONE_MODEL], responses=_TOLD_OF_MODEL)
async def model(service: ServiceDependency) -> ModelMetadata:
    """The model's inputs (a request has exactly one), outputs, and current version."""
    return metadata.model_metadata(_served(service))


@router.get(
    f"{_VERSION_PATH}/config",
    dependencies=[_KEY, _ONE_MODEL, _ONE_VERSION],
    include_in_schema=False,
    name="version_configuration",
)
@router.get(
    f"{_PATH}/config",
    summary="The model's Triton configuration",
    dependencies=[_KEY, _ONE_MODEL],
    responses=_TOLD_OF_MODEL,
)
async def configuration() -> ModelConfiguration:
    """The part of Triton's model configuration that applies here."""
    return metadata.model_configuration()


@router.post(
    "/repository/index", summary="All models", dependencies=[_KEY], responses=_errors(*_NO_KEY, problems.NOT_READY)
)
async def repository_index(service: ServiceDependency) -> list[IndexEntry]:
    """The only model. To load new weights, use `/admin/reload`, not this protocol."""
    return metadata.index(_served(service))


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The requested outputs.",
        "model": InferenceResponse,
        "headers": {
            **HEADERS,
            LENGTH_HEADER: {
                "description": "Length of the JSON in bytes, if outputs follow it as bytes.",
                "schema": {"type": "string"},
            },
        },
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    **_errors(*PROBLEMS, problems.NOT_FOUND),
}

_REQUEST_BODY = {
    "required": True,
    "description": "The image and the requested outputs.",
    "content": {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{InferenceRequest.__name__}"},
            "example": {
                "id": "42",
                "inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 2, 3], "data": [255, 0, 0, 0, 0, 255]}],
            },
        }
    },
}


@router.post(
    f"{_VERSION_PATH}/infer",
    response_class=Response,
    dependencies=[_KEY, limit_rate(), _ONE_MODEL],
    include_in_schema=False,
    name="version_infer",
)
@router.post(
    f"{_PATH}/infer",
    summary="Segment an image",
    response_class=Response,
    responses=_RESPONSES,
    dependencies=[_KEY, limit_rate(), _ONE_MODEL],
    openapi_extra={"requestBody": _REQUEST_BODY},
)
async def infer(request: Request, settings: SettingsDependency, service: ServiceDependency) -> Response:
    """Predict the class of every pixel of an image of any size, and on request its confidence, as tensors.

    The input may follow the JSON as bytes, and must do so if it is large: send the length of the JSON as
    `Inference-Header-Content-Length`, and the input's length as its parameter `binary_data_size`. The body may be
    compressed with gzip or deflate.

    With `/versions/{version}` in front of `/infer`, other weights than that version's give 404.
    """
    segmenter = service.segmenter  # kept, even if a reload replaces it while the body arrives
    if version := request.path_params.get("version"):
        _check_version(version, segmenter)
    limits = UploadLimits(settings.max_upload_bytes, settings.upload_timeout_s, settings.upload_idle_timeout_s)
    with ExitStack() as stack:
        admission = stack.enter_context(service.admit(announced_bytes(request), RAW_PIXEL_BYTES))
        request.state.admission = admission
        reserve = partial(service.reserve, admission)
        inference = await _understood(await read_body(request, limits, reserve), admission, reserve)
        tensors = inference.tensors
        wanted = SegmentRequest(inference.image, tensors, segmenter, inference.tiling)
        del inference
        response = await respond(request, service, wanted, admission, stack)
    if tensors.is_binary and (complete := admission.response) is not None:
        response.headers[LENGTH_HEADER] = str(tensors.json_bytes(len(complete.body), complete.pixels))
    return response


async def _understood(body: Body, admission: Admission, reserve: Reserve) -> Inference:
    """Parse a body, and hold the memory for that meanwhile."""
    if len(body.text) <= _SHORT_BYTES:
        return parse(body.text, body.binary)
    before = admission.body.size_bytes
    reserve(parsing_bytes(body.text))
    try:
        return await asyncio.to_thread(parse, body.text, body.binary)
    finally:
        admission.body.resize(before)


def _served(service: Service) -> str:
    return version_of(service.segmenter.checkpoint.digest)
