import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.ray.asgi_call import BrokenAnswerError, call
from deploy.ray.messages import Head, HttpRequest, Parts

REQUEST = HttpRequest("POST", "/segment", b"/segment", b"", ((b"host", b"x"),), None, b"image")


async def _heard(app: ASGIApp) -> list[Parts]:
    return [parts async for parts in call(app, REQUEST, beat_s=10)]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(body + b" seen")(scope, receive, send)


async def rows(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for row in (b"one", b"two"):
        await send({"type": "http.response.body", "body": row, "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"end", "more_body": False})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})


def test_what_is_there_at_once_comes_at_once() -> None:
    ((head, body),) = asyncio.run(_heard(echo))
    assert isinstance(head, Head)
    assert (head.status, head.header(b"content-length"), body) == (200, b"10", b"image seen")


def test_what_comes_by_and_by_is_handed_on_by_and_by() -> None:
    assert asyncio.run(_heard(rows)) == [[Head(200, ()), b"one"], [b"two"], [b"end"]]


def test_while_nothing_comes_there_are_empty_parts() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.2)
        await echo(scope, receive, send)

    async def heard() -> list[Parts]:
        return [parts async for parts in call(slow, REQUEST, beat_s=0.02)]

    *beats, answer = asyncio.run(heard())
    assert len(beats) >= 2
    assert not any(beats)
    assert answer[1:] == [b"image seen"]


def test_an_answer_that_breaks_off_is_not_taken_for_whole() -> None:
    heard: list[Parts] = []

    async def hear() -> None:
        async for parts in call(broken, REQUEST, beat_s=10):
            heard.append(parts)  # noqa: PERF401 (a comprehension would lose them)

    with pytest.raises(BrokenAnswerError):
        asyncio.run(hear())
    assert heard == [[Head(200, ()), b"one"]]


def test_what_the_application_raises_is_raised() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("no device")

    with pytest.raises(RuntimeError, match="no device"):
        asyncio.run(_heard(fail))


def test_an_application_whose_answer_nobody_wants_sees_that_its_client_has_gone() -> None:
    seen: list[str] = []

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        seen.append((await receive())["type"])

    async def leave() -> None:
        answer = call(wait, REQUEST, beat_s=10)
        await anext(answer)
        await answer.aclose()
        while not seen:
            await asyncio.sleep(0)

    asyncio.run(leave())
    assert seen == ["http.disconnect"]
