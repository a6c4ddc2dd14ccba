"""What pages elsewhere may do."""

import uuid

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from app.api.errors import ProblemResponse
from app.problems import INVALID_REQUEST


class Cors(CORSMiddleware):
    """Starlette's, with refusals as problem documents, and an ID as every answer has one."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        response.headers["X-Request-ID"] = uuid.uuid4().hex
        if response.status_code < 400:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return ProblemResponse(INVALID_REQUEST, bytes(response.body).decode(), headers)
