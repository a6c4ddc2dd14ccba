"""Segmenting several images with concurrent requests; one that fails does not end the others."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from app.client import ClientError

T = TypeVar("T")

_REQUESTS_AT_ONCE = 4
_ANSWERS_HELD = 8


def each(images: Sequence[Path], ask: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
    """Yield the images with their results, in order; errors go to standard error.

    Args:
        images: image files.
        ask: sends an image to the service and returns the result; called by several threads.
    """
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
        asked: deque[tuple[Path, Future[T]]] = deque()
        for image in images:
            asked.append((image, threads.submit(ask, image)))
            if len(asked) == _ANSWERS_HELD:
                yield from _answered(*asked.popleft())
        while asked:
            yield from _answered(*asked.popleft())


def _answered(image: Path, answer: Future[T]) -> Iterator[tuple[Path, T]]:
    try:
        yield image, answer.result()
    except (ClientError, OSError) as error:
        print(f"{image}: {error}", file=sys.stderr)
