"""Problems that the service answers with: one table, one exception.

Every error is an RFC 9457 document. Its ``type`` is the path of its own description, ``/problems/<slug>``.
"""

from collections.abc import Mapping
from dataclasses import dataclass


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
