"""Cross-origin requests."""

import uuid

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from app.api.errors import ProblemResponse
from app.problems import INVALID_REQUEST


class Cors(CORSMiddleware):
    """Starlette's CORS middleware, with problem documents for refusals and an ``X-Request-ID`` like every response."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        response.headers["X-Request-ID"] = uuid.uuid4().hex
        if response.status_code < 400:
            return response
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return ProblemResponse(INVALID_REQUEST, bytes(response.body).decode(), headers)
