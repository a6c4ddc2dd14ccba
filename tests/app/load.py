"""Clients that send images to a service, one after another, until they are stopped."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from threading import Condition, Event, Thread
from typing import Self

import httpx2

from tests.app.server_process import ServerProcess

CLIENTS = 4

_ANSWER_S = 60.0
"""Timeout of a response in seconds."""


class Clients(ABC):
    """Clients, each in a thread of its own, while entered.

    Attributes:
        outcomes: status -> number of responses; 0 counts requests whose connection failed.

    Args:
        number: number of clients.
    """

    def __init__(self, number: int) -> None:
        self.outcomes: Counter[int] = Counter()
        self._stopping = Event()
        self._answered = Condition()
        self._threads = [Thread(target=self._send) for _ in range(number)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for_answers(self, number: int) -> None:
        """Wait until ``number`` more responses have status 200, however long a slow machine takes."""
        wanted = self.outcomes[200] + number
        with self._answered:
            assert self._answered.wait_for(lambda: self.outcomes[200] >= wanted, _ANSWER_S * number), self.outcomes

    def _send(self) -> None:
        with self._connect() as client:
            while not self._stopping.is_set():
                try:
                    status = self._ask(client)
                    with self._answered:
                        self.outcomes[status] += 1
                        self._answered.notify_all()
                except httpx2.TransportError:
                    self.outcomes[0] += 1

    @abstractmethod
    def _connect(self) -> httpx2.Client: ...

    @abstractmethod
    def _ask(self, client: httpx2.Client) -> int:
        """Send a request, and return the response's status."""


class Load(Clients):
    """Clients of a service in a process of its own."""

    def __init__(self, server: ServerProcess, image: bytes) -> None:
        super().__init__(CLIENTS)
        self._server = server
        self._image = image

    def _connect(self) -> httpx2.Client:
        return self._server.client()

    def _ask(self, client: httpx2.Client) -> int:
        # One connection per request, so that all workers get some.
        return client.post("/segment", content=self._image, headers={"Connection": "close"}).status_code


def logged_statuses(log: Iterable[str]) -> Counter[int]:
    """Status -> number of responses to POST /segment, according to a service's log."""
    return Counter(json.loads(line)["status"] for line in log if '"path":"/segment"' in line)
