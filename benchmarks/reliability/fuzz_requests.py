"""Requests for masks with bodies that nobody would send in earnest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from app.api.oip.schemas import MODEL
from app.api.oip_error import PREFIX
from app.formats.rendering import MaskEncoding, OutputFormat
from benchmarks.reliability.fuzz_forms import forms
from benchmarks.reliability.fuzz_inferences import Headers, inferences
from benchmarks.reliability.fuzz_strategies import files, weighted
from model.tiling import Tiling

_INFER = f"{PREFIX}/models/{MODEL}/infer"

_AT_ONCE = 100
"""Requests that are drawn at a time."""

_CHUNK_BYTES = 700


@dataclass(frozen=True, slots=True)
class FuzzedRequest:
    """A request.

    Attributes:
        target: path, and query.
        headers: beside those of the body's length.
        body: of it.
        is_chunked: whether it is sent in chunks, without a length.
    """

    target: str
    headers: Headers
    body: bytes
    is_chunked: bool

    @property
    def wire(self) -> bytes:
        """The bytes that are sent."""
        length = "Transfer-Encoding: chunked" if self.is_chunked else f"Content-Length: {len(self.body)}"
        lines = [f"POST {self.target} HTTP/1.1", "Host: 127.0.0.1", length]
        lines += [f"{name}: {value}" for name, value in self.headers]
        body = _chunks(self.body) if self.is_chunked else self.body
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def draw_requests(images: Sequence[bytes], count: int, name: str) -> Iterator[FuzzedRequest]:
    """As many requests as wanted.

    Args:
        images: files that are sent as they are, damaged, and in forms.
        count: of requests.
        name: of them; with the same one they are the same.
    """
    requests = _requests(files(images))
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


def _requests(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[FuzzedRequest]:
    segment = _queries().map("/segment?{}".format)
    media_types = st.sampled_from(("image/jpeg", "image/png", "image/*", "application/octet-stream", ""))
    contents = weighted((2, st.tuples(media_types, images)), (1, forms(images))).map(_with_type)
    return weighted(
        (3, st.builds(_request, segment, contents, st.booleans())),
        (1, st.builds(_request, st.just(_INFER), inferences(images), st.booleans())),
    )


def _with_type(content: tuple[str, bytes]) -> tuple[Headers, bytes]:
    media_type, body = content
    return ((("Content-Type", media_type),) if media_type else ()), body


def _request(target: str, content: tuple[Headers, bytes], is_chunked: bool) -> FuzzedRequest:
    return FuzzedRequest(target, *content, is_chunked)


def _queries() -> st.SearchStrategy[str]:
    values = {
        "format": st.sampled_from(OutputFormat),
        "mask": st.sampled_from(MaskEncoding),
        "tiling": st.sampled_from(Tiling),
        "alpha": st.floats(0, 1),
    }
    right = st.fixed_dictionaries({}, optional=values)
    wrong = st.dictionaries(st.sampled_from([*values, "other"]), st.text(max_size=20), min_size=1)
    return weighted((19, right), (1, wrong)).map(lambda query: urlencode(query, errors="replace"))
