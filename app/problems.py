"""Problems that the service responds with: one table, one exception.

Every error is an RFC 9457 document. Its ``type`` is the path of its own description, ``/problems/<slug>``.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of error. ``slug`` and ``status`` are stable, so that clients can rely on them."""

    slug: str
    status: int
    title: str
    description: str

    @property
    def type(self) -> str:
        return f"/problems/{self.slug}"


REQUEST_MALFORMED = Problem(
    "request-malformed", 400, "The request is malformed", "The bytes on the connection do not follow HTTP."
)
BODY_MALFORMED = Problem("body-malformed", 400, "The body is malformed", "The body cannot be parsed.")
NOT_AN_IMAGE = Problem("not-an-image", 400, "Not an image", "The body is empty, or not an image of a known format.")
IMAGE_DAMAGED = Problem(
    "image-damaged", 400, "The image is damaged", "The header is an image's, but the rest is cut off or corrupt."
)
UNAUTHORIZED = Problem("unauthorized", 401, "A key is needed", "The request has no valid API key.")
FORBIDDEN = Problem("forbidden", 403, "Not allowed", "The key lacks the required scope, or no keys are configured.")
NOT_FOUND = Problem("not-found", 404, "Not found", "There is nothing at this path.")
METHOD_NOT_ALLOWED = Problem(
    "method-not-allowed", 405, "Method not allowed", "The path exists, but not for this method."
)
NOT_ACCEPTABLE = Problem(
    "not-acceptable", 406, "Not acceptable", "The Accept header names neither image/png nor application/json."
)
HEADER_TIMEOUT = Problem(
    "header-timeout", 408, "Request header timeout", "The header of the request did not arrive in time."
)
UPLOAD_TIMEOUT = Problem("upload-timeout", 408, "Upload too slow", "The body did not arrive in time.")
RELOAD_FAILED = Problem(
    "reload-failed", 409, "Reload failed", "The new weights or keys cannot be used; the service keeps the old ones."
)
BODY_TOO_LARGE = Problem("body-too-large", 413, "The body is too large", "The body has more bytes than allowed.")
UNSUPPORTED_FORMAT = Problem(
    "unsupported-format",
    415,
    "Unsupported format",
    "The body's type, or the image's format or pixel layout, is not supported.",
)
INVALID_REQUEST = Problem("invalid-request", 422, "Invalid request", "A parameter or field is missing or invalid.")
TOO_MANY_PIXELS = Problem("too-many-pixels", 422, "Too many pixels", "The image has more pixels than allowed.")
TOO_COSTLY = Problem(
    "too-costly", 422, "Too costly", "The image, with these parameters, needs more memory than a request may take."
)
TILING_IMPOSSIBLE = Problem(
    "tiling-impossible", 422, "Tiling impossible", "The image cannot be cut in the requested way."
)
QUEUE_FULL = Problem(
    "queue-full", 429, "Queue full", "Too many requests are waiting; retry after the time in Retry-After."
)
RATE_LIMITED = Problem(
    "rate-limited", 429, "Too many requests", "The client exceeds its rate limit; retry after the time in Retry-After."
)
REQUEST_HEADER_FIELDS_TOO_LARGE = Problem(
    "request-header-fields-too-large",
    431,
    "Request header fields too large",
    "The request's header has more bytes or more fields than allowed.",
)
INTERNAL = Problem(
    "internal", 500, "Internal error", "The service failed; the log has the details under the request ID."
)
NOT_READY = Problem("not-ready", 503, "Not ready", "The weights are not loaded yet.")
DRAINING = Problem("draining", 503, "Shutting down", "The service finishes accepted requests and takes no new ones.")
TOO_MANY_CONNECTIONS = Problem(
    "too-many-connections", 503, "Too many connections", "The maximum number of connections is open."
)
OUT_OF_MEMORY = Problem("out-of-memory", 503, "Out of memory", "The device has no memory for the image at the moment.")
DECODER_UNAVAILABLE = Problem(
    "decoder-unavailable",
    503,
    "No decoder",
    "The system lacks memory, processes or files to read the image at the moment.",
)
DEVICE_FAILED = Problem("device-failed", 503, "The device failed", "The device failed to compute the result.")
DEADLINE = Problem("deadline", 504, "Deadline exceeded", "The response was not ready in time, or could not have been.")

PROBLEMS: Mapping[str, Problem] = {
    problem.slug: problem
    for problem in (
        REQUEST_MALFORMED,
        BODY_MALFORMED,
        NOT_AN_IMAGE,
        IMAGE_DAMAGED,
        UNAUTHORIZED,
        FORBIDDEN,
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        NOT_ACCEPTABLE,
        HEADER_TIMEOUT,
        UPLOAD_TIMEOUT,
        RELOAD_FAILED,
        BODY_TOO_LARGE,
        UNSUPPORTED_FORMAT,
        INVALID_REQUEST,
        TOO_MANY_PIXELS,
        TOO_COSTLY,
        TILING_IMPOSSIBLE,
        QUEUE_FULL,
        RATE_LIMITED,
        REQUEST_HEADER_FIELDS_TOO_LARGE,
        INTERNAL,
        NOT_READY,
        DRAINING,
        TOO_MANY_CONNECTIONS,
        OUT_OF_MEMORY,
        DECODER_UNAVAILABLE,
        DEVICE_FAILED,
        DEADLINE,
    )
}


class ProblemError(Exception):
    """Ends a request with a problem document.

    Args:
        problem: kind of the problem.
        detail: what is wrong with this request, with the value and the limit.
        headers: additional headers of the response.
        retry_after_s: seconds after which the same request may succeed; None if unknown.
        is_last: whether to close the connection after the response.
    """

    def __init__(
        self,
        problem: Problem,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        retry_after_s: int | None = None,
        is_last: bool = False,
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.headers = headers
        self.retry_after_s = retry_after_s
        self.is_last = is_last
