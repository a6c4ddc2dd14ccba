"""The clients' logic, without I/O."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar

import httpx2
import numpy as np
import pytest

from app.client.core import Core
from app.client.errors import (
    ClientError,
    ServiceConnectionError,
    ServiceError,
    ServiceTimeoutError,
    ServiceUnavailableError,
    UnexpectedResponseError,
)
from app.client.retries import Retries
from app.client.steps import Call, Done, Outcome, Pause, Response, Steps, advance
from app.client.timeouts import Deadline, Timeouts
from app.formats.png_writer import PngWriter

T = TypeVar("T")

_MASK = np.array([[0, 0, 1], [1, 1, 1]], dtype=np.uint8)
_CLASSES = {"classes": [{"index": index, "name": f"class {index}", "color": [index, 0, 0]} for index in (0, 1, 255)]}


def test_the_names_of_the_classes_are_asked_for_once_a_checkpoint() -> None:
    core = _core()
    found, paths, _ = _run(core.segment(b"image", None), [_mask("a"), _json(_CLASSES), _json({"sha256": "a"})])
    assert paths == ["/segment", "/classes", "/model"]
    assert [(share.index, share.name, share.pixels) for share in found.classes] == [
        (0, "class 0", 2),
        (1, "class 1", 4),
    ]
    assert found.stages == {"decode": 1.25, "forward": 30.0}
    assert found.request_id == "r1"
    _, paths, _ = _run(core.segment(b"image", None), [_mask("a")])
    assert paths == ["/segment"]
    _, paths, _ = _run(core.segment(b"image", None), [_mask("b"), _json(_CLASSES), _json({"sha256": "b"})])
    assert paths == ["/segment", "/classes", "/model"]


def test_weights_that_are_replaced_before_the_names_are_known_make_another_mask() -> None:
    replaced = [_mask("a"), _json(_CLASSES), _json({"sha256": "b"})]
    found, _, _ = _run(
        _core().segment(b"image", None), [*replaced, _mask("b"), _json(_CLASSES), _json({"sha256": "b"})]
    )
    assert found.checkpoint == "b"
    with pytest.raises(UnexpectedResponseError, match="change from one request to the next"):
        _run(_core().segment(b"image", None), replaced * 3)


@pytest.mark.parametrize(
    ("status", "headers", "least_s", "most_s"),
    [
        (429, {"Retry-After": "7"}, 7, 7.7),
        (503, {"Retry-After": "2"}, 2, 2.2),
        (504, {"Retry-After": "3"}, 3, 3.3),
        (503, {}, 0.25, 0.5),
        (502, {"Retry-After": "soon"}, 0.25, 0.5),
        (503, {"Retry-After": "Mon, 01 Jan 99999999999999999999999 00:00:00 GMT"}, 0.25, 0.5),
    ],
)
def test_what_passes_is_waited_for_as_long_as_is_told(
    status: int, headers: dict[str, str], least_s: float, most_s: float
) -> None:
    _, paths, pauses = _run(_core().model(), [_problem(status, headers), _json({})])
    assert paths == ["/model", "/model"]
    assert least_s <= pauses[0] <= most_s


def test_the_wait_may_be_told_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    _, _, pauses = _run(_core().model(), [_problem(429, {"Retry-After": date}), _json({})])
    assert 50 <= pauses[0] <= 110


@pytest.mark.parametrize("status", [400, 401, 403, 408, 413, 415, 422, 500, 504])
def test_what_does_not_pass_is_not_asked_for_again(status: int) -> None:
    with pytest.raises(ServiceError) as caught:
        _run(_core().model(), [_problem(status, {})])
    assert not isinstance(caught.value, ServiceUnavailableError)
    assert caught.value.status == status


def test_pauses_grow_and_end_with_the_last_error() -> None:
    _, _, pauses = _run(_core(retries=8).model(), [ServiceConnectionError("refused")] * 8 + [_json({})])
    for pause, longest in zip(pauses, (0.5, 1, 2, 4, 8, 10, 10, 10), strict=True):
        assert longest / 2 <= pause <= longest
    with pytest.raises(ServiceConnectionError, match="third"):
        _run(_core(retries=2).model(), [ServiceConnectionError(word) for word in ("first", "second", "third")])


def test_a_wait_beyond_the_total_is_not_begun() -> None:
    with pytest.raises(ServiceUnavailableError):
        _run(_core(total_s=5).model(), [_problem(429, {"Retry-After": "6"})])


def test_a_deadline_bounds_every_limit() -> None:
    now = [0.0]
    deadline = Deadline(10, lambda: now[0])
    assert deadline.bound(4) == 4
    now[0] = 8
    assert deadline.bound(4) == 2
    deadline.require()
    now[0] = 10
    with pytest.raises(ServiceTimeoutError, match="total_s = 10 s"):
        deadline.require()
    assert Deadline(float("inf")).bound(float("inf")) is None
    with pytest.raises(ValueError, match="write_s must be more than 0, not 0"):
        Timeouts(write_s=0)


def _core(retries: int = 5, total_s: float = 900) -> Core:
    return Core(Timeouts(total_s=total_s), Retries(retries))


def _run(steps: Steps[T], outcomes: Sequence[Response | ClientError]) -> tuple[T, list[str], list[float]]:
    """The result, the requested paths and the pauses; every outcome must be used."""
    left, paths, pauses = list(outcomes), [], []
    outcome: Outcome = None
    while not isinstance(step := advance(steps, outcome), Done):
        match step:
            case Pause(seconds):
                pauses.append(seconds)
                outcome = None
            case Call(request):
                paths.append(request.path)
                outcome = left.pop(0)
    assert not left
    return step.value, paths, pauses


def _mask(digest: str) -> Response:
    palette = np.zeros((256, 3), dtype=np.uint8)
    headers = {
        "Content-Type": "image/png",
        "X-Checkpoint-SHA256": digest,
        "X-Request-ID": "r1",
        "Server-Timing": "decode;dur=1.25, forward;dur=30",
    }
    return Response(200, httpx2.Headers(headers), PngWriter(2, 3, {}, palette).write(_MASK))


def _json(document: object) -> Response:
    return Response(200, httpx2.Headers({"Content-Type": "application/json"}), json.dumps(document).encode())


def _problem(status: int, headers: dict[str, str]) -> Response:
    body = {"type": "/problems/some", "title": "Some", "status": status, "detail": "some"}
    return Response(status, httpx2.Headers(headers), json.dumps(body).encode())
