"""Problems that the service answers with: one exception, one table, one installer.

Every error is an RFC 9457 document. Its ``type`` is the path of its own description, ``/problems/<slug>``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from model.errors import TilingError

PROBLEM_MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error. ``slug`` and ``status`` are stable; clients may build on them."""

    slug: str
    status: int
    title: str
    description: str

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


BODY_MALFORMED = Problem("body-malformed", 400, "The body is malformed", "The multipart body cannot be parsed.")
NOT_AN_IMAGE = Problem("not-an-image", 400, "Not an image", "The bytes are empty or no image that is known here.")
IMAGE_DAMAGED = Problem(
    "image-damaged", 400, "The image is damaged", "The header is that of an image, but the rest is cut off or corrupt."
)
NOT_FOUND = Problem("not-found", 404, "Not found", "There is nothing at this path.")
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "Method not allowed", "The path exists for other methods.")
NOT_ACCEPTABLE = Problem(
    "not-acceptable", 406, "Not acceptable", "The Accept header names neither image/png nor application/json."
)
UPLOAD_TIMEOUT = Problem("upload-timeout", 408, "Upload too slow", "The body did not arrive in time.")
BODY_TOO_LARGE = Problem("body-too-large", 413, "The body is too large", "The body has more bytes than allowed.")
UNSUPPORTED_FORMAT = Problem(
    "unsupported-format",
    415,
    "Unsupported format",
    "The body is of a type, or the image of a format or pixel layout, that is not read here.",
)
INVALID_REQUEST = Problem("invalid-request", 422, "Invalid request", "A parameter or field is missing or wrong.")
TOO_MANY_PIXELS = Problem("too-many-pixels", 422, "Too many pixels", "The image has more pixels than allowed.")
TILING_IMPOSSIBLE = Problem(
    "tiling-impossible", 422, "Tiling impossible", "The image cannot be cut in the way asked for."
)
QUEUE_FULL = Problem("queue-full", 429, "Queue full", "Too many requests are waiting; Retry-After says for how long.")
INTERNAL = Problem("internal", 500, "Internal error", "A fault of the service; the request ID finds it in the log.")
NOT_READY = Problem("not-ready", 503, "Not ready", "The weights are not loaded yet.")
DRAINING = Problem("draining", 503, "Shutting down", "The service finishes what it accepted and takes nothing new.")
DEADLINE = Problem("deadline", 504, "Deadline exceeded", "The answer was not ready in time.")

PROBLEMS: Mapping[str, Problem] = {
    problem.slug: problem
    for problem in (
        BODY_MALFORMED,
        NOT_AN_IMAGE,
        IMAGE_DAMAGED,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        NOT_ACCEPTABLE,
        UPLOAD_TIMEOUT,
        BODY_TOO_LARGE,
        UNSUPPORTED_FORMAT,
        INVALID_REQUEST,
        TOO_MANY_PIXELS,
        TILING_IMPOSSIBLE,
        QUEUE_FULL,
        INTERNAL,
        NOT_READY,
        DRAINING,
        DEADLINE,
    )
}

_PROBLEM_OF_STATUS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}


class ProblemError(Exception):
    """Ends a request with a problem document.

    Args:
        problem: its kind.
        detail: what is wrong with this request, naming the value and the bound.
        headers: of the response, besides the usual.
    """

    def __init__(self, problem: Problem, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.headers = headers


def problem_response(
    problem: Problem, detail: str, headers: Mapping[str, str] | None = None, **extensions: Any
) -> Response:
    """The response that carries a problem document."""
    document = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        **extensions,
    }
    return Response(orjson.dumps(document), problem.status, headers, PROBLEM_MEDIA_TYPE)


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""

    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> Response:
        return problem_response(error.problem, error.detail, error.headers)

    @app.exception_handler(TilingError)
    async def tiling(_: Request, error: TilingError) -> Response:
        return problem_response(TILING_IMPOSSIBLE, str(error))

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        faults = [
            {"parameter": ".".join(str(part) for part in fault["loc"][1:]), "message": fault["msg"]}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{fault['parameter']}: {fault['message']}" for fault in faults)
        return problem_response(INVALID_REQUEST, detail, errors=faults)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        kind = _PROBLEM_OF_STATUS.get(error.status_code, INVALID_REQUEST if error.status_code < 500 else INTERNAL)
        return problem_response(kind, f"{request.method} {request.url.path}: {error.detail}", error.headers)
