import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from app.api.uploads import FORM_BYTES, UploadLimits
from app.problems import BODY_TOO_LARGE, QUEUE_FULL, UPLOAD_TIMEOUT, ProblemError
from deploy.ray.bodies import Bodies, BodyLimits

LIMITS = BodyLimits(UploadLimits(1000, timeout_s=5, idle_timeout_s=0.05), held_bytes=2 * FORM_BYTES)


def _request(*parts: bytes, announced: int | None = None, ends: bool = True, gone: bool = False) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if ends:
        messages[-1]["more_body"] = False
    if gone:
        messages.append({"type": "http.disconnect"})

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    headers = [] if announced is None else [(b"content-length", str(announced).encode())]
    return Request({"type": "http", "method": "POST", "path": "/segment", "headers": headers}, receive)


def _read(bodies: Bodies, request: Request) -> bytes:
    async def read() -> bytes:
        with bodies.room() as body:
            return await body.read(request)

    return asyncio.run(read())


def test_a_body_is_all_of_its_parts() -> None:
    assert _read(Bodies(LIMITS), _request(b"one ", b"", b"two")) == b"one two"


def test_room_is_given_back() -> None:
    bodies = Bodies(LIMITS)
    for _ in range(5):
        assert len(_read(bodies, _request(bytes(FORM_BYTES)))) == FORM_BYTES


def test_more_bodies_than_there_is_room_for_are_refused() -> None:
    bodies = Bodies(LIMITS)
    with bodies.room() as held:
        asyncio.run(held.read(_request(bytes(FORM_BYTES + 1000))))
        with pytest.raises(ProblemError) as refused:
            _read(bodies, _request(bytes(FORM_BYTES + 1000)))
    assert refused.value.problem is QUEUE_FULL
    assert refused.value.headers == {"Retry-After": "1", "Connection": "close"}


@pytest.mark.parametrize(
    "request_",
    [
        _request(b"", announced=FORM_BYTES + 1001),
        _request(bytes(FORM_BYTES), bytes(1001)),
        _request(bytes(FORM_BYTES), bytes(1001), bytes(10)),
    ],
)
def test_a_body_that_is_too_large_is_refused(request_: Request) -> None:
    with pytest.raises(ProblemError) as refused:
        _read(Bodies(LIMITS), request_)
    assert refused.value.problem is BODY_TOO_LARGE
    assert refused.value.detail == f"the body has more than the {FORM_BYTES + 1000} bytes allowed"


def test_a_body_that_stops_coming_is_refused() -> None:
    with pytest.raises(ProblemError) as refused:
        _read(Bodies(LIMITS), _request(b"one", ends=False))
    assert refused.value.problem is UPLOAD_TIMEOUT


def test_the_body_of_a_client_that_has_gone_is_given_up() -> None:
    bodies = Bodies(LIMITS)
    with pytest.raises(ClientDisconnect):
        _read(bodies, _request(bytes(FORM_BYTES), ends=False, gone=True))
    assert _read(bodies, _request(bytes(FORM_BYTES), bytes(1000))) == bytes(FORM_BYTES + 1000)
