"""Requests to ``POST /segment`` with bodies that nobody would send in earnest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from app.rendering import MaskEncoding, OutputFormat
from app.uploads import FIELD
from benchmarks.reliability.fuzz_mutations import mutant
from model.tiling import Tiling

_Value = TypeVar("_Value")

_AT_ONCE = 100
"""Requests that are drawn at a time."""

_PADDING_BYTES = 1 << 16
_CHUNK_BYTES = 700


@dataclass(frozen=True, slots=True)
class FuzzedRequest:
    """A request.

    Attributes:
        query: of its target.
        content: its media type, without which it has no header of that, and its body.
        is_chunked: whether it is sent in chunks, without a length.
    """

    query: str
    content: tuple[str, bytes]
    is_chunked: bool

    @property
    def wire(self) -> bytes:
        """The bytes that are sent."""
        media_type, body = self.content
        lines = [f"POST /segment?{self.query} HTTP/1.1", "Host: 127.0.0.1"]
        if media_type:
            lines.append(f"Content-Type: {media_type}")
        lines.append("Transfer-Encoding: chunked" if self.is_chunked else f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (_chunks(body) if self.is_chunked else body)


def draw_requests(files: Sequence[bytes], count: int, name: str) -> Iterator[FuzzedRequest]:
    """As many requests as wanted.

    Args:
        files: images, that are sent as they are, damaged, and in forms.
        count: of requests.
        name: of them; with the same one they are the same.
    """
    requests = _requests(files)
    drawn_before = 0
    while drawn_before < count:
        drawn = _draw(requests, f"{name}-{drawn_before}")[: count - drawn_before]
        yield from drawn
        drawn_before += len(drawn)


def _chunks(body: bytes) -> bytes:
    pieces = [body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def _draw(requests: st.SearchStrategy[FuzzedRequest], some_seed: str) -> list[FuzzedRequest]:
    drawn: list[FuzzedRequest] = []

    @seed(some_seed)
    @settings(
        max_examples=_AT_ONCE,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests)
    def collect(request: FuzzedRequest) -> None:
        drawn.append(request)

    collect()
    return drawn


def _requests(files: Sequence[bytes]) -> st.SearchStrategy[FuzzedRequest]:
    bodies = _bodies(files)
    media_types = st.sampled_from(("image/jpeg", "image/png", "image/*", "application/octet-stream", ""))
    contents = _weighted((2, st.tuples(media_types, bodies)), (1, _forms(bodies)))
    return st.builds(FuzzedRequest, _queries(), contents, st.booleans())


def _bodies(files: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    whole = st.sampled_from(files)
    mutants = st.integers(0, 2**64 - 1).map(lambda number: mutant(Random(number), files))
    noise = st.binary(max_size=2000)
    started = st.builds(lambda file, end: file[:16] + end, whole, noise)
    padded = whole.map(lambda file: file + bytes(_PADDING_BYTES))
    return _weighted((16, mutants), (1, whole), (1, noise), (1, started), (1, padded))


def _queries() -> st.SearchStrategy[str]:
    values = {
        "format": st.sampled_from(OutputFormat),
        "mask": st.sampled_from(MaskEncoding),
        "tiling": st.sampled_from(Tiling),
        "alpha": st.floats(0, 1),
    }
    right = st.fixed_dictionaries({}, optional=values)
    wrong = st.dictionaries(st.sampled_from([*values, "other"]), st.text(max_size=20), min_size=1)
    return _weighted((19, right), (1, wrong)).map(lambda query: urlencode(query, errors="replace"))


def _forms(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    """Types and bodies of forms, or of what is almost one."""
    boundaries = st.just("boundary") | st.from_regex(r"[A-Za-z0-9'()+_,./:=?-]{1,70}", fullmatch=True)
    told = _weighted(
        (8, st.just("{}")),
        (2, st.sampled_from(('"{}"', "{}; charset=utf-16", "{}; charset=nonsense", "another", "", "x" * 300))),
    )
    part = _form_parts(bodies)
    parts = _weighted((3, st.tuples(part)), (1, st.lists(part, min_size=1, max_size=4)))
    times = _weighted((19, st.just(1)), (1, st.just(12)))
    damages = _weighted((5, st.none()), (1, st.integers(0, 2**64 - 1)))
    return st.builds(_form, boundaries, told, parts, times, damages)


def _form_parts(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    names = _weighted((4, st.just(FIELD)), (1, st.text(max_size=20)))
    file_names = _weighted((1, st.none()), (3, st.just("cat.jpg")), (1, st.text(max_size=40)))
    fields = st.sampled_from(("Content-Type", "Content-Transfer-Encoding", "X"))
    values = _weighted((9, st.text(max_size=40)), (1, st.just("x" * 5000)))
    headers = _weighted((4, st.just({})), (1, st.dictionaries(fields, values)))
    contents = _weighted((4, bodies), (1, st.binary(max_size=100)))
    return st.builds(_form_part, names, file_names, headers, contents)


def _form(boundary: str, told: str, parts: Sequence[bytes], times: int, damage: int | None) -> tuple[str, bytes]:
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in [*parts] * times) + delimiter + b"--\r\n"
    if damage is not None:
        body = mutant(Random(damage), [body])
    return f"multipart/form-data; boundary={told.format(boundary)}", body


def _form_part(name: str, file_name: str | None, headers: dict[str, str], content: bytes) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if file_name is None else f'; filename="{file_name}"')
    lines = [f"Content-Disposition: {disposition}", *(f"{field}: {value}" for field, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + content


def _weighted(*choices: tuple[int, st.SearchStrategy[_Value]]) -> st.SearchStrategy[_Value]:
    """One of some strategies, each as often as its weight says; ``one_of`` takes equal ones for one."""
    return st.sampled_from([strategy for weight, strategy in choices for _ in range(weight)]).flatmap(lambda one: one)
