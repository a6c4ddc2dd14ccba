from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.cli.backend import Request
from app.cli.errors import FileError
from app.cli.local_backend import LocalBackend
from app.parameters import TilingName
from app.settings import Settings


class StoppedError(Exception):
    """Raised by the progress callback."""


def png(height: int, width: int) -> bytes:
    file = BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def stop_at(call: int) -> Callable[[float], None]:
    """A function that raises ``StoppedError`` on call number ``call``."""
    calls = iter(range(1, call + 1))

    def advance(_: float) -> None:
        if next(calls) == call:
            raise StoppedError

    return advance


@pytest.mark.parametrize(("tiling", "height", "width"), [("overlap", 1100, 1100), ("exact", 64, 20_000)])
def test_work_can_be_stopped_before_it_has_made_rows(
    small_weights: Path, tiling: TilingName, height: int, width: int
) -> None:
    request = Request("png", "none", tiling, 0.5, wants_classes=False)
    written: list[bytes] = []
    with LocalBackend(Settings(weights=small_weights, threads=1), request, 1) as backend:
        with pytest.raises(StoppedError):
            # The first call follows the header, the second one the first work.
            backend.segment(png(height, width), written.append, stop_at(2))
        assert written == []
        result = backend.segment(png(height, width), written.append, lambda _: None)
    assert (result.height, result.width) == (height, width)
    with Image.open(BytesIO(b"".join(written))) as mask:
        assert mask.size == (width, height)


def test_an_error_without_words_is_its_file_s_alone(small_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request("png", "none", "auto", 0.5, wants_classes=False)
    with LocalBackend(Settings(weights=small_weights, threads=1), request, 1) as backend:
        with monkeypatch.context() as patch:

            def fail(*_: object, **__: object) -> None:
                raise AssertionError

            patch.setattr("model.segmenter.Segmenter.segment", fail)
            patch.setattr("model.segmenter.Segmenter.segment_together", fail)
            with pytest.raises(FileError, match="the device failed: AssertionError"):
                backend.segment(png(32, 32), lambda _: None, lambda _: None)
        written: list[bytes] = []
        backend.segment(png(32, 32), written.append, lambda _: None)
        assert written
