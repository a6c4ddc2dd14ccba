"""Clients that send an image repeatedly to a port, until they are stopped."""

import time

import httpx2

from tests.app.load import Clients

_TIMEOUT_S = 60


class RayLoad(Clients):
    """Clients that each keep their connection, and never retry.

    Attributes:
        wrong: number of responses with status 200 and an unexpected body.

    Args:
        port: port on this machine.
        image: image to send.
        clients: number of clients.
        answer: expected body of each 200; None accepts any.
    """

    def __init__(self, port: int, image: bytes, clients: int, answer: bytes | None = None) -> None:
        super().__init__(clients)
        self.wrong = 0
        self._url = f"http://127.0.0.1:{port}/segment"
        self._image = image
        self._answer = answer

    @property
    def answered(self) -> int:
        """Number of responses with status 200."""
        return self.outcomes[200]

    def _connect(self) -> httpx2.Client:
        return httpx2.Client(timeout=_TIMEOUT_S)

    def _ask(self, client: httpx2.Client) -> int:
        try:
            response = client.post(self._url, content=self._image, headers={"Content-Type": "image/jpeg"})
        except httpx2.TransportError:
            time.sleep(0.05)  # no server listens: do not spin
            raise
        self.wrong += response.status_code == 200 and self._answer not in (None, response.content)
        return response.status_code


def rate(port: int, image: bytes, clients: int, seconds: float) -> float:
    """Responses per second over ``seconds``, after a warm-up of one second."""
    with RayLoad(port, image, clients) as load:
        time.sleep(1)
        before, started = load.answered, time.monotonic()
        time.sleep(seconds)
        answered, elapsed = load.answered - before, time.monotonic() - started
    assert load.outcomes.keys() == {200}, load.outcomes
    return answered / elapsed
