"""``POST /segment``."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from app import problems
from app.api.auth.dependencies import limit_rate, require
from app.api.auth.keys import KeyScope
from app.api.dependencies import ServiceDependency, SettingsDependency
from app.api.negotiation import negotiate
from app.api.openapi import REFERENCE, problem_responses
from app.api.responses import HEADERS, PROBLEMS, respond
from app.api.schemas import SegmentationResponse, SegmentQuery
from app.api.uploads import FIELD, UploadLimits, announced_bytes, read_upload
from app.pipeline.request import SegmentRequest
from app.problems import ProblemError

router = APIRouter(tags=["segmentation"])

_BINARY = {"type": "string", "format": "binary"}
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "application/octet-stream")

_REQUEST_BODY = {
    "required": True,
    "description": "The image: either a form with the file, and optionally parameters as fields, or the file's bytes.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {**_BINARY, "description": "JPEG, PNG, WebP, BMP, TIFF, GIF, AVIF or HEIC file."},
                    **SegmentQuery.model_json_schema(ref_template=REFERENCE)["properties"],
                },
                "additionalProperties": False,
            }
        },
        **{media_type: {"schema": _BINARY} for media_type in _IMAGE_TYPES},
    },
}

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The class of every pixel.",
        "model": SegmentationResponse,
        "headers": HEADERS,
        "content": {
            "image/png": {"schema": _BINARY},
            "application/json": {
                "example": {
                    "width": 4,
                    "height": 2,
                    "checkpoint": "5f0c6e4b9a7d",
                    "classes": [
                        {"index": 0, "name": "background", "color": [0, 0, 0], "pixels": 5, "fraction": 0.625},
                        {"index": 8, "name": "cat", "color": [64, 0, 0], "pixels": 3, "fraction": 0.375},
                    ],
                    "mask": [[0, 0, 8, 8], [0, 0, 0, 8]],
                }
            },
        },
    },
    **problem_responses(*PROBLEMS, problems.NOT_ACCEPTABLE),
}


@router.post(
    "/segment",
    summary="Segment an image",
    response_class=Response,
    responses=_RESPONSES,
    dependencies=[require(KeyScope.SEGMENT), limit_rate()],
    openapi_extra={"requestBody": _REQUEST_BODY},
)
async def segment(
    request: Request,
    query: Annotated[SegmentQuery, Query()],
    settings: SettingsDependency,
    service: ServiceDependency,
) -> Response:
    """Predict the class of every pixel of an image of any size, as a PNG in the classes' colours or as JSON.

    EXIF orientation is applied; transparency is composited on white; the first frame of an animation is used.

    Parameters may also be fields of the form; those in the query override them.

    A large image's PNG is streamed. If an error occurs meanwhile, the connection is closed before the end of the body,
    and the file lacks its last chunk, `IEND`.
    """
    _require_single(request.query_params)
    limits = UploadLimits(settings.max_upload_bytes, settings.upload_timeout_s, settings.upload_idle_timeout_s)
    with ExitStack() as stack:
        request.state.admission = admission = stack.enter_context(service.admit(announced_bytes(request)))
        upload = await read_upload(request, limits, partial(service.reserve, admission))
        asked = _with_fields(query, upload.fields)
        name = asked.format or negotiate(", ".join(request.headers.getlist("accept")))
        output = name.with_parameters(asked.mask, asked.alpha)
        wanted = SegmentRequest(upload.image, output, service.segmenter, asked.tiling)
        del upload
        response = await respond(request, service, wanted, admission, stack)
    response.headers["Vary"] = "Accept"
    return response


def _require_single(parameters: QueryParams) -> None:
    """Refuse a repeated parameter, which is ambiguous."""
    names = [name for name, _ in parameters.multi_items()]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ProblemError(problems.INVALID_REQUEST, f"the query has more than one {repeated}")


def _with_fields(query: SegmentQuery, fields: Mapping[str, str]) -> SegmentQuery:
    """Merge the parameters of a query and of a form; the query's take precedence.

    Raises:
        RequestValidationError: a field is not a parameter, or its value is invalid.
    """
    if not fields:
        return query
    try:
        told = SegmentQuery.model_validate(fields)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error
    return told.model_copy(update=query.model_dump(exclude_unset=True))
