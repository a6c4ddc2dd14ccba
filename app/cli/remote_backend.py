"""Segments images with a running service."""

from pathlib import Path
from types import TracebackType
from typing import Self

from app.cli.backend import Advance, Request, Write
from app.cli.errors import FileError, ServiceGoneError
from app.cli.existing import read_result
from app.cli.result import NamedClass, Result
from app.cli.service import asking, connect
from app.client import ClientError, ServiceConnectionError, ServiceError


class RemoteBackend:
    """A service, used through its client.

    Args:
        url: URL of the service.
        key_file: file with the service's key.
        request: parameters for all images.

    Raises:
        CannotStartError: the service does not respond, or refuses the request.
    """

    def __init__(self, url: str, key_file: Path | None, request: Request) -> None:
        self._request = request
        # No retries at first, so that a mistyped address fails at once; a service that has responded once is retried.
        with asking(), connect(url, key_file, retries=0) as client:
            self.digest = str(client.model()["sha256"])
            self.classes = {known.index: NamedClass(known.name, known.color) for known in client.classes()}
        self._client = connect(url, key_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def segment(self, data: bytes, write: Write, advance: Advance) -> Result:
        try:
            return self._segment(data, write, advance)
        except ServiceError as error:
            raise FileError(error.detail or error.title) from error
        except ServiceConnectionError as error:
            if not self._client.is_ready():
                raise ServiceGoneError(f"the service no longer responds: {error}") from error
            raise FileError(str(error)) from error
        except ClientError as error:
            raise FileError(str(error)) from error

    def _segment(self, data: bytes, write: Write, advance: Advance) -> Result:
        wanted = self._request
        is_json, is_overlay = wanted.format == "json", wanted.format == "overlay"
        body = self._client.segment_bytes(
            data,
            format=wanted.format,
            tiling=wanted.tiling,
            alpha=wanted.alpha if is_overlay else None,
            mask=wanted.mask if is_json else None,
        )
        result = read_result(body, wanted.format, self.classes)
        if result.classes is None and wanted.wants_classes:
            advance(0.5)
            told = self._client.segment_bytes(data, format="json", tiling=wanted.tiling, mask="none")
            result = read_result(told, "json", self.classes)
        advance(0.0)
        write(body)
        return result
