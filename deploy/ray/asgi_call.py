"""One request to an ASGI application in this process."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import ASGIApp, Message

from deploy.ray.messages import Head, HttpRequest, Parts


class BrokenAnswerError(Exception):
    """The application ended before its response was complete; the client must not take it for complete."""


async def call(app: ASGIApp, request: HttpRequest, beat_s: float) -> AsyncGenerator[Parts]:
    """Yield the response's parts as they come. If the caller closes the generator, the application sees a disconnect.

    Args:
        app: application to call.
        request: request to pass to it.
        beat_s: seconds without a part after which an empty list is yielded as a heartbeat.

    Raises:
        BrokenAnswerError: the response is incomplete.
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
            while not sent.empty():  # send what is there already together
                messages.append(sent.get_nowait())
            has_ended = messages[-1]["type"] == "end"
            is_whole = is_whole or any(map(_is_last, messages))
            if parts := _parts(messages):
                yield parts
        await work
    finally:
        gone.set()
    if not is_whole:
        raise BrokenAnswerError("the application ended before its response was complete")


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _parts(messages: list[Message]) -> Parts:
    """The response's head, if it is among the messages, and the part of the body in them."""
    heads = [_head(message) for message in messages if message["type"] == "http.response.start"]
    body = b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")
    return [*heads, body] if body else [*heads]


def _head(message: Message) -> Head:
    return Head(message["status"], tuple((bytes(name).lower(), bytes(value)) for name, value in message["headers"]))
