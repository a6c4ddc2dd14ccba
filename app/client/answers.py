"""What an answer says."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from app.client.errors import ConnectionFailed, ServiceProblem, ServiceUnavailable, UnexpectedAnswer
from app.client.steps import Answer

DIGEST_HEADER = "X-Checkpoint-SHA256"
REQUEST_ID_HEADER = "X-Request-ID"

PNG, JSON = "image/png", "application/json"

_ENDS = {PNG: b"IEND\xaeB`\x82", JSON: b"}"}
"""Last bytes of a whole body."""

_PASSING = (429, 502, 503)
_DEADLINE = 504

_STAGE = re.compile(r"([^\s;,]+)\s*;\s*dur=([0-9]+(?:\.[0-9]+)?)")
_DETAIL_CHARACTERS = 200


def require_whole(answer: Answer, media_type: str) -> None:
    """Check that an answer is what was asked for, from its first byte to its last.

    Raises:
        ServiceProblem: it says why it is not.
        ConnectionFailed: it breaks off. A large PNG is sent while it is being made; should that fail, or should a
            proxy give up, what is there would pass for a picture whose last rows are background.
        UnexpectedAnswer: it is something else.
    """
    if answer.status != 200:
        raise _problem(answer)
    found = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found != media_type:
        raise UnexpectedAnswer(
            f"the answer is {found or 'of no type'}, not {media_type}: is this the service's address?"
        )
    if not answer.body.endswith(_ENDS[media_type]):
        raise ConnectionFailed(
            f"the answer broke off after {len(answer.body)} bytes: they do not end as {media_type} does"
        )


def document(answer: Answer) -> dict[str, Any]:
    """The JSON object of a whole answer.

    Raises:
        UnexpectedAnswer: it is none.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer(f"the answer is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnexpectedAnswer("the answer is no JSON object")
    return found


def digest(answer: Answer) -> str:
    """Of the weights that made an answer.

    Raises:
        UnexpectedAnswer: it does not say.
    """
    if DIGEST_HEADER not in answer.headers:
        raise UnexpectedAnswer(f"the answer has no {DIGEST_HEADER}: is this the service's address?")
    return str(answer.headers[DIGEST_HEADER])


def stages(answer: Answer) -> dict[str, float]:
    """Milliseconds of each stage, by the Server-Timing header; empty where there is none."""
    return {name: float(duration) for name, duration in _STAGE.findall(answer.headers.get("server-timing", ""))}


def _problem(answer: Answer) -> ServiceProblem:
    retry_after_s = _retry_after_s(answer.headers)
    passes = answer.status in _PASSING or (answer.status == _DEADLINE and retry_after_s is not None)
    kind = ServiceUnavailable if passes else ServiceProblem
    try:
        told = document(answer)
    except UnexpectedAnswer:
        # A proxy's page, for people.
        told = {"detail": answer.body[:_DETAIL_CHARACTERS].decode("utf-8", "replace").strip()}
    return kind(
        status=answer.status,
        slug=_slug(str(told.get("type", ""))),
        title=str(told.get("title") or httpx2.codes.get_reason_phrase(answer.status)),
        detail=str(told.get("detail", "")),
        request_id=answer.headers.get(REQUEST_ID_HEADER),
        retry_after_s=retry_after_s,
    )


def _slug(kind: str) -> str:
    return kind.rpartition("/problems/")[2] if "/problems/" in kind else ""


def _retry_after_s(headers: httpx2.Headers) -> float | None:
    """Seconds, or a date, as RFC 9110 has it; None if there is neither."""
    told = headers.get("retry-after", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        date = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return None
    until = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
