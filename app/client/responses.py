"""Checks responses, and reads their headers and errors."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from app.client.errors import ServiceConnectionError, ServiceError, ServiceUnavailableError, UnexpectedResponseError
from app.client.steps import Response

DIGEST_HEADER = "X-Checkpoint-SHA256"
REQUEST_ID_HEADER = "X-Request-ID"

PNG, JSON = "image/png", "application/json"

_ENDS = {PNG: b"IEND\xaeB`\x82", JSON: b"}"}
"""Last bytes of a complete body, by media type."""

_PASSING = (429, 502, 503)
_DEADLINE = 504

_STAGE = re.compile(r"([^\s;,]+)\s*;\s*dur=([0-9]+(?:\.[0-9]+)?)")
_DETAIL_CHARACTERS = 200


def require_whole(response: Response, media_type: str) -> None:
    """Check that a response is successful, complete and of the expected media type.

    Raises:
        ServiceError: the response is an error.
        ServiceConnectionError: the response is incomplete. A large PNG is streamed; if the service or a proxy breaks it
            off, the received part would pass for an image whose last rows are background.
        UnexpectedResponseError: the response has another media type.
    """
    if response.status != 200:
        raise _problem(response)
    found = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != media_type:
        raise UnexpectedResponseError(
            f"the response has {found or 'no media type'}, not {media_type}: is this the service's address?"
        )
    if not response.body.endswith(_ENDS[media_type]):
        raise ServiceConnectionError(
            f"the response broke off after {len(response.body)} bytes: they do not end as {media_type} does"
        )


def document(response: Response) -> dict[str, Any]:
    """The JSON object in a complete response.

    Raises:
        UnexpectedResponseError: the body is not a JSON object.
    """
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise UnexpectedResponseError(f"the response is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnexpectedResponseError("the response is not a JSON object")
    return found


def digest(response: Response) -> str:
    """SHA-256 of the weights that made a response.

    Raises:
        UnexpectedResponseError: the response has no such header.
    """
    if DIGEST_HEADER not in response.headers:
        raise UnexpectedResponseError(f"the response has no {DIGEST_HEADER}: is this the service's address?")
    return str(response.headers[DIGEST_HEADER])


def stages(response: Response) -> dict[str, float]:
    """Milliseconds per stage, from the Server-Timing header; empty if there is none."""
    return {name: float(duration) for name, duration in _STAGE.findall(response.headers.get("server-timing", ""))}


def _problem(response: Response) -> ServiceError:
    retry_after_s = _retry_after_s(response.headers)
    passes = response.status in _PASSING or (response.status == _DEADLINE and retry_after_s is not None)
    kind = ServiceUnavailableError if passes else ServiceError
    try:
        told = document(response)
    except UnexpectedResponseError:
        # A proxy's HTML page.
        told = {"detail": response.body[:_DETAIL_CHARACTERS].decode("utf-8", "replace").strip()}
    return kind(
        status=response.status,
        slug=_slug(str(told.get("type", ""))),
        title=str(told.get("title") or httpx2.codes.get_reason_phrase(response.status)),
        detail=str(told.get("detail", "")),
        request_id=response.headers.get(REQUEST_ID_HEADER),
        retry_after_s=retry_after_s,
    )


def _slug(kind: str) -> str:
    return kind.rpartition("/problems/")[2] if "/problems/" in kind else ""


def _retry_after_s(headers: httpx2.Headers) -> float | None:
    """Seconds to wait, from the Retry-After header's seconds or date (RFC 9110); None if it has neither."""
    told = headers.get("retry-after", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        date = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    until = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
