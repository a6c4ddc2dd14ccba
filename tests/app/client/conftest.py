import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest

from app.client import AsyncClient, Client

Connect = Callable[..., Client]


class BlockingAsyncClient:
    """An ``AsyncClient`` with the methods of ``Client``, so that each test covers both."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*arguments, **options)

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._client, name)
        return lambda *arguments, **options: self._runner.run(method(*arguments, **options))

    def __enter__(self) -> "BlockingAsyncClient":
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            self._runner.run(self._client.close())


@pytest.fixture(params=[Client, BlockingAsyncClient], ids=["threads", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Makes clients of either kind, and closes them at the end of the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: cast("Client", stack.enter_context(request.param(*arguments, **options)))
