"""Turns errors into problem responses."""

from collections.abc import Mapping
from typing import Any, Self

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app.api.oip_error import is_oip, oip_error
from app.problems import (
    INTERNAL,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    TILING_IMPOSSIBLE,
    Problem,
    ProblemError,
)
from model.errors import TilingError

PROBLEM_MEDIA_TYPE = "application/problem+json"

_FAULTS_TOLD = 16
_PARAMETER_CHARACTERS = 100

_PROBLEM_OF_STATUS = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}


class ProblemResponse(Response):
    """A problem document, or that protocol's error if the request uses the Open Inference Protocol.

    Stores the problem in the request's state, for metrics and log.
    """

    def __init__(
        self, problem: Problem, detail: str, headers: Mapping[str, str] | None = None, **extensions: Any
    ) -> None:
        document = {
            "type": problem.type,
            "title": problem.title,
            "status": problem.status,
            "detail": detail,
            **extensions,
        }
        super().__init__(orjson.dumps(document), problem.status, headers, PROBLEM_MEDIA_TYPE)
        self._problem = problem
        self._detail = detail
        self._extra_headers = headers

    @classmethod
    def of(cls, error: ProblemError, headers: Mapping[str, str] | None = None) -> Self:
        """The response to a request that raised an error, with additional headers."""
        told = {**(headers or {}), **(error.headers or {})}
        if error.retry_after_s is not None:
            told["Retry-After"] = str(error.retry_after_s)
        if error.is_last:
            told["Connection"] = "close"
        return cls(error.problem, error.detail, told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["problem"] = self._problem
        if is_oip(scope["path"]):
            document = oip_error(self._detail)
            await Response(document, self.status_code, self._extra_headers, "application/json")(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _parameter(fault: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in fault["loc"][1:])[:_PARAMETER_CHARACTERS]


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""

    @app.exception_handler(ProblemError)
    async def problem(_: Request, error: ProblemError) -> Response:
        return ProblemResponse.of(error)

    @app.exception_handler(TilingError)
    async def tiling(_: Request, error: TilingError) -> Response:
        return ProblemResponse(TILING_IMPOSSIBLE, str(error))

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        faults = [{"parameter": _parameter(fault), "message": fault["msg"]} for fault in found[:_FAULTS_TOLD]]
        told = [f"{fault['parameter']}: {fault['message']}" for fault in faults]
        if len(found) > len(faults):
            told.append(f"and {len(found) - len(faults)} more")
        return ProblemResponse(INVALID_REQUEST, "; ".join(told), errors=faults)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        kind = _PROBLEM_OF_STATUS.get(error.status_code, INVALID_REQUEST if error.status_code < 500 else INTERNAL)
        return ProblemResponse(kind, f"{request.method} {request.url.path}: {error.detail}", error.headers)
