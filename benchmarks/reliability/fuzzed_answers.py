"""Sending fuzzed requests and judging the responses."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.api.errors import PROBLEM_MEDIA_TYPE
from app.api.oip.body import LENGTH_HEADER
from app.api.oip_error import is_oip
from benchmarks.connection import Connection, Reply, ReplyError
from benchmarks.reliability.fuzzed_requests import FuzzedRequest

_TIMEOUT_S = 60.0
_LENGTH_FIELD = LENGTH_HEADER.lower()
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_DECODER_ENDED = ("the decoder crashed", "it took longer than")
"""Texts of problems caused by an image that ended a decoder."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A request worth inspecting.

    Attributes:
        number: number of the request.
        request: bytes that were sent.
        what: what happened, in words.
    """

    number: int
    request: bytes
    what: str


@dataclass(slots=True)
class Answers:
    """Responses to a series of requests.

    Attributes:
        counts: status and problem -> number of responses.
        faults: requests with a wrong response or none.
        decoder_ends: requests that ended a decoder, which is allowed, since it is replaced.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Incident] = field(default_factory=list)
    decoder_ends: list[Incident] = field(default_factory=list)


async def send(port: int, requests: Iterator[FuzzedRequest], clients: int) -> Answers:
    """Send requests from several clients that each wait for their response."""
    answers, numbered = Answers(), enumerate(requests)

    async def client() -> None:
        async with Connection(port) as connection:
            for number, request in numbered:
                await _exchange(connection, number, request, answers)

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


def judge(reply: Reply, target: str) -> tuple[str, str]:
    """Return a response's kind (status and problem) and its fault, empty if there is none."""
    if reply.status == 200:
        kind = "200 of /v2" if is_oip(target) else "200"
        return kind, "" if _is_whole(reply) else f"a body that ends with {reply.body[-20:]!r}"
    kind, is_right = _inference_error(reply) if is_oip(target) else _problem(reply)
    if reply.status >= 500 or not is_right:
        return kind, f"{reply.status} {reply.body[:200]!r}"
    return kind, ""


def _problem(reply: Reply) -> tuple[str, bool]:
    try:
        problem = json.loads(reply.body)
        kind = f"{reply.status} {problem['type'].removeprefix('/problems/')}"
        return kind, reply.fields["content-type"] == PROBLEM_MEDIA_TYPE and problem["status"] == reply.status
    except (KeyError, TypeError, ValueError):
        return f"{reply.status}", False


def _inference_error(reply: Reply) -> tuple[str, bool]:
    try:
        document = json.loads(reply.body)
        is_right = [*document] == ["error"] and isinstance(document["error"], str)
        return f"{reply.status} of /v2", is_right and reply.fields["content-type"] == "application/json"
    except (KeyError, TypeError, ValueError):
        return f"{reply.status}", False


async def _exchange(connection: Connection, number: int, request: FuzzedRequest, answers: Answers) -> None:
    wire = request.wire
    try:
        reply = await asyncio.wait_for(connection.exchange(wire), _TIMEOUT_S)
    except (OSError, EOFError, ReplyError) as error:  # TimeoutError is an OSError
        answers.faults.append(Incident(number, wire, f"no answer: {error!r}"))
        return
    kind, fault = judge(reply, request.target)
    answers.counts[kind] += 1
    if fault:
        answers.faults.append(Incident(number, wire, fault))
    if reply.status != 200 and any(words in reply.body.decode("utf-8", "replace") for words in _DECODER_ENDED):
        answers.decoder_ends.append(Incident(number, wire, reply.body.decode("utf-8", "replace")))


def _is_whole(reply: Reply) -> bool:
    if reply.fields.get("content-type") == "image/png":
        return reply.body.startswith(_PNG_START) and reply.body.endswith(_PNG_END)
    try:
        return bool(json.loads(reply.body)) if _LENGTH_FIELD not in reply.fields else _is_whole_inference(reply)
    except (KeyError, ValueError):
        return False


def _is_whole_inference(reply: Reply) -> bool:
    """Whether the number of bytes after the JSON is the announced one."""
    json_bytes = int(reply.fields[_LENGTH_FIELD])
    outputs = json.loads(reply.body[:json_bytes])["outputs"]
    sizes = [output["parameters"]["binary_data_size"] for output in outputs if "parameters" in output]
    return bool(sizes) and json_bytes + sum(sizes) == len(reply.body)
