"""Images stored in Label Studio."""

from types import TracebackType
from typing import Self

import httpx2

_TIMEOUT_S = 60


class Files:
    """Reads files of one Label Studio and of no other host, since many people can write tasks.

    Args:
        url: URL of Label Studio, such as `http://127.0.0.1:8080`.
        key: access token: a personal one, which is exchanged for one valid for some minutes, or a legacy one.
    """

    def __init__(self, url: str, key: str) -> None:
        self._key = key
        # Redirects are not followed: they could lead anywhere.
        self._http = httpx2.Client(base_url=url, timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def read(self, address: object) -> bytes:
        """Read a task's image.

        Args:
            address: the task's value: a path such as `/data/upload/1/cat.jpg`, or a URL of Label Studio.

        Raises:
            ValueError: the address is not one of Label Studio.
            httpx2.HTTPError, httpx2.InvalidURL: the image cannot be fetched.
        """
        base = self._http.base_url
        url = base.join(str(address))
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise ValueError(f"{address} is not kept by {base}")
        response = self._http.get(url, headers={"Authorization": self._authorization()})
        response.raise_for_status()
        return response.content

    def _authorization(self) -> str:
        is_personal = self._key.count(".") == 2  # a JSON web token
        if not is_personal:
            return f"Token {self._key}"
        response = self._http.post("/api/token/refresh", json={"refresh": self._key})
        response.raise_for_status()
        return f"Bearer {response.json()['access']}"
