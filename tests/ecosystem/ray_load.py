"""Clients that send one image after the other to an address, until they are told to stop."""

import time
from collections import Counter
from threading import Event, Thread
from typing import Self

import httpx2

_TIMEOUT_S = 60


class RayLoad:
    """Clients, each in a thread of its own, while entered. Each keeps its connection, and asks nobody twice.

    Attributes:
        outcomes: answers by status; 0 counts requests whose connection failed.

    Args:
        port: on this machine.
        image: that is sent.
        clients: number of them.
        answer: that each 200 must have; any will do if it is None.
    """

    def __init__(self, port: int, image: bytes, clients: int, answer: bytes | None = None) -> None:
        self.outcomes: Counter[int] = Counter()
        self.wrong = 0
        self._url = f"http://127.0.0.1:{port}/segment"
        self._image = image
        self._answer = answer
        self._stopping = Event()
        self._threads = [Thread(target=self._send) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        """Number of answers with status 200."""
        return self.outcomes[200]

    def _send(self) -> None:
        with httpx2.Client(timeout=_TIMEOUT_S) as client:
            while not self._stopping.is_set():
                try:
                    response = client.post(self._url, content=self._image, headers={"Content-Type": "image/jpeg"})
                except httpx2.TransportError:
                    self.outcomes[0] += 1
                    time.sleep(0.05)  # of the sender, whom nobody listens to now
                    continue
                self.outcomes[response.status_code] += 1
                self.wrong += response.status_code == 200 and self._answer not in (None, response.content)


def rate(port: int, image: bytes, clients: int, seconds: float) -> float:
    """Answers a second, in a run of so many seconds, after a second of it that is not counted."""
    with RayLoad(port, image, clients) as load:
        time.sleep(1)
        before, started = load.answered, time.monotonic()
        time.sleep(seconds)
        answered, elapsed = load.answered - before, time.monotonic() - started
    assert load.outcomes.keys() == {200}, load.outcomes
    return answered / elapsed
