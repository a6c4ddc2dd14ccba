"""One request to an ASGI application in this process."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import ASGIApp, Message

from deploy.ray.messages import Head, HttpRequest, Parts


class BrokenAnswerError(Exception):
    """The application has ended before its answer did; the client is not to take it for whole."""


async def call(app: ASGIApp, request: HttpRequest, beat_s: float) -> AsyncGenerator[Parts]:
    """The answer's parts as they come. If nobody wants the rest, the application sees that the client has gone.

    Args:
        app: app that answers.
        request: to be answered.
        beat_s: seconds after which an empty list comes if nothing else has: it tells that somebody is there.

    Raises:
        BrokenAnswerError: what came is not all of it.
    """
    sent: asyncio.Queue[Message] = asyncio.Queue()
    gone = asyncio.Event()
    arriving: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Message:
        if arriving:
            return arriving.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    work = asyncio.ensure_future(app(request.scope(), receive, sent.put))
    work.add_done_callback(lambda _: sent.put_nowait({"type": "end"}))
    is_whole = False
    try:
        has_ended = False
        while not has_ended:
            try:
                async with asyncio.timeout(beat_s):
                    messages = [await sent.get()]
            except TimeoutError:
                yield []
                continue
            while not sent.empty():  # what is there already goes together
                messages.append(sent.get_nowait())
            has_ended = messages[-1]["type"] == "end"
            is_whole = is_whole or any(map(_is_last, messages))
            if parts := _parts(messages):
                yield parts
        await work
    finally:
        gone.set()
    if not is_whole:
        raise BrokenAnswerError("the answer ended before its end")


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _parts(messages: list[Message]) -> Parts:
    """The head, if it is among the messages, and what there is of the body."""
    heads = [_head(message) for message in messages if message["type"] == "http.response.start"]
    body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
    return [*heads, body] if body else [*heads]


def _head(message: Message) -> Head:
    return Head(message["status"], tuple((bytes(name).lower(), bytes(value)) for name, value in message["headers"]))
