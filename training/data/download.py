"""Downloads of large files, resumed over as many connections as needed."""

from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from training.errors import FetchError
from training.progress import byte_bar

_CHUNK_BYTES = 64 * 1024


class _BrokenOffError(Exception):
    """The connection broke or could not be opened; the bytes received so far are in the file."""


def download(url: str, file: Path, timeout_s: float = 60.0) -> None:
    """Download to a file, with a progress bar.

    An existing file is taken for the beginning of an earlier download and is completed. After a broken connection,
    another is opened as long as each receives some bytes. Verify a checksum afterwards: only that shows whether the
    parts belong together.

    Args:
        url: http or https address.
        file: file to write; kept if the download fails.
        timeout_s: read timeout in seconds.

    Raises:
        FetchError: the server refuses, cannot be reached or repeatedly closes the connection, or the file cannot be
            written.
    """
    if not url.startswith(("http://", "https://")):
        raise FetchError(f"{url} is not an http or https address")
    while True:
        before = _size_bytes(file)
        try:
            return _receive(url, file, timeout_s)
        except _BrokenOffError as error:
            kept = _size_bytes(file)
            if kept <= before:
                advice = f"; {kept:,} bytes are kept, and the same command goes on from there" if kept else ""
                raise FetchError(f"{url} cannot be downloaded: {error}{advice}") from error


def _receive(url: str, file: Path, timeout_s: float) -> None:
    """Append the missing bytes to the file, or rewrite it if the server does not support ranges."""
    offset = _size_bytes(file)
    response = _open(url, offset, timeout_s)
    if response is None:
        return
    with response:
        resumed = response.status == HTTPStatus.PARTIAL_CONTENT
        start = offset if resumed else 0
        total = None if response.length is None else start + response.length
        try:
            with (
                file.open("ab" if resumed else "wb") as out,
                byte_bar() as progress,
            ):
                task = progress.add_task(file.name, total=total, completed=start)
                for chunk in _chunks(response):
                    out.write(chunk)
                    progress.advance(task, len(chunk))
        except OSError as error:
            raise FetchError(f"{file} cannot be written: {error.strerror}") from error
    if total is not None and _size_bytes(file) < total:
        raise _BrokenOffError("the server closed the connection too early")


def _open(url: str, offset: int, timeout_s: float) -> HTTPResponse | None:
    """Request the file from an offset on; None if nothing follows it."""
    headers = {"User-Agent": "fcn-segmentation"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=timeout_s)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            return None
        raise FetchError(f"{url} cannot be downloaded: the server answers {error.code} {error.reason}") from error
    except URLError as error:
        raise _BrokenOffError(str(error.reason)) from error
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(str(error)) from error
    except ValueError as error:
        raise FetchError(f"{url} is not an address: {error}") from error
    return response


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the body's chunks; connection errors are converted, to tell them from errors of writing the file."""
    try:
        while chunk := response.read(_CHUNK_BYTES):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(str(error)) from error


def _size_bytes(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
