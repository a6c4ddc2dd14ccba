"""Forms for ``POST /segment``, and what is almost one."""

from collections.abc import Sequence

from hypothesis import strategies as st

from app.api.schemas import SegmentQuery
from app.api.uploads import FIELD
from benchmarks.reliability.fuzz_strategies import damaged, damages, weighted


def forms(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[str, bytes]]:
    """Types and bodies of forms around images, or of what is almost one."""
    boundaries = st.just("boundary") | st.from_regex(r"[A-Za-z0-9'()+_,./:=?-]{1,70}", fullmatch=True)
    told = weighted(
        (8, st.just("{}")),
        (2, st.sampled_from(('"{}"', "{}; charset=utf-16", "{}; charset=nonsense", "another", "", "x" * 300))),
    )
    part = _parts(images)
    parts = weighted((3, st.tuples(part)), (1, st.lists(part, min_size=1, max_size=4)))
    times = weighted((19, st.just(1)), (1, st.just(12)))
    around = weighted((3, st.just(b"")), (1, st.sampled_from((b"\r\n", b"preamble\r\n", b"X: 1\r\n\r\n"))))
    padding = weighted((3, st.just(b"")), (1, st.sampled_from((b" ", b"\t  "))))
    return st.builds(_form, boundaries, told, parts, times, around, padding, damages(one_in=6))


def _parts(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    names = weighted(
        (8, st.just(FIELD)), (1, st.sampled_from(tuple(SegmentQuery.model_fields))), (1, st.text(max_size=20))
    )
    file_names = weighted((1, st.none()), (3, st.just("cat.jpg")), (1, st.text(max_size=40)))
    fields = st.sampled_from(("Content-Type", "Content-Transfer-Encoding", "X"))
    values = weighted((9, st.text(max_size=40)), (2, st.sampled_from(("base64", "binary"))), (1, st.just("x" * 5000)))
    headers = weighted((4, st.just({})), (1, st.dictionaries(fields, values)))
    values_of_parameters = st.sampled_from((b"json", b"overlay", b"rle", b"exact", b"0.5", b"nan"))
    contents = weighted((8, images), (1, st.binary(max_size=100)), (1, values_of_parameters))
    return st.builds(_part, names, file_names, headers, contents)


def _form(
    boundary: str,
    told: str,
    parts: Sequence[bytes],
    times: int,
    around: bytes,
    padding: bytes,
    damage: int | None,
) -> tuple[str, bytes]:
    delimiter = b"--" + boundary.encode()
    written = b"".join(delimiter + padding + b"\r\n" + part + b"\r\n" for part in [*parts] * times)
    body = around + written + delimiter + b"--\r\n" + around
    return f"multipart/form-data; boundary={told.format(boundary)}", damaged(body, damage)


def _part(name: str, file_name: str | None, headers: dict[str, str], content: bytes) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if file_name is None else f'; filename="{file_name}"')
    lines = [f"Content-Disposition: {disposition}", *(f"{field}: {value}" for field, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + content
