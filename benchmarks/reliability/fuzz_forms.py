"""Forms for ``POST /segment``, and what is almost one."""

from collections.abc import Sequence

from hypothesis import strategies as st

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
    return st.builds(_form, boundaries, told, parts, times, damages(one_in=6))


def _parts(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    names = weighted((4, st.just(FIELD)), (1, st.text(max_size=20)))
    file_names = weighted((1, st.none()), (3, st.just("cat.jpg")), (1, st.text(max_size=40)))
    fields = st.sampled_from(("Content-Type", "Content-Transfer-Encoding", "X"))
    values = weighted((9, st.text(max_size=40)), (1, st.just("x" * 5000)))
    headers = weighted((4, st.just({})), (1, st.dictionaries(fields, values)))
    contents = weighted((4, images), (1, st.binary(max_size=100)))
    return st.builds(_part, names, file_names, headers, contents)


def _form(boundary: str, told: str, parts: Sequence[bytes], times: int, damage: int | None) -> tuple[str, bytes]:
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in [*parts] * times) + delimiter + b"--\r\n"
    return f"multipart/form-data; boundary={told.format(boundary)}", damaged(body, damage)


def _part(name: str, file_name: str | None, headers: dict[str, str], content: bytes) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if file_name is None else f'; filename="{file_name}"')
    lines = [f"Content-Disposition: {disposition}", *(f"{field}: {value}" for field, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + content
