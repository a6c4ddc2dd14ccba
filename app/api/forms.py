"""Parses multipart/form-data (RFC 7578, RFC 2046), including features that only clients other than browsers use."""

import quopri
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

MAX_PARTS = 64

_MAX_HEADER_BYTES = 1 << 12
"""Maximum bytes of a part's header; its longest field is the file name."""

_FOLD = re.compile(r"\r\n[ \t]+")
_LINE_END = re.compile(rb"[ \t]*\r\n")
_BARE_LINE_END = re.compile(rb"[ \t]*\n")
_NO_CRLF = "its lines end with LF alone; those of a form end with CRLF"


class FormError(Exception):
    """The body is not a valid form."""


@dataclass(frozen=True, slots=True)
class Part:
    """The contents between two boundaries: a file or a text field, which only the name distinguishes."""

    name: str
    data: bytes


def parse_form(body: bytes, boundary: bytes) -> Iterator[Part]:
    """Yield the parts of a form, without preamble and epilogue.

    Args:
        body: the whole body.
        boundary: the boundary that the Content-Type names.

    Raises:
        FormError: the form is malformed, cut off, or has more than ``MAX_PARTS`` parts.
    """
    if not boundary:
        raise FormError("the Content-Type names no boundary")
    delimiter = b"--" + boundary
    start = _first_part(body, delimiter)
    for _ in range(MAX_PARTS):
        if start is None:
            return
        end = body.find(b"\r\n" + delimiter, start - 2)
        if end < 0:
            raise FormError("it ends within its last part")
        yield _part(body[start:end])
        start = _next_part(body, end + 2 + len(delimiter))
    if start is not None:
        raise FormError(f"it has more than {MAX_PARTS} parts")


def _first_part(body: bytes, delimiter: bytes) -> int | None:
    if body.startswith(delimiter):
        return _next_part(body, len(delimiter))
    found = body.find(b"\n" + delimiter)
    if found < 0:
        raise FormError("no line of it begins with the boundary that the Content-Type names")
    return _next_part(body, found + 1 + len(delimiter))


def _next_part(body: bytes, after: int) -> int | None:
    """Index of the part after a delimiter; None if it was the last delimiter.

    Args:
        body: the whole body.
        after: index of the end of the delimiter's boundary.
    """
    if body.startswith(b"--", after):
        return None
    line_end = _LINE_END.match(body, after)
    if line_end is None:
        if _BARE_LINE_END.match(body, after):
            raise FormError(_NO_CRLF)
        raise FormError("a line has text after the boundary")
    return line_end.end()


def _part(data: bytes) -> Part:
    head_end = data.find(b"\r\n\r\n", 0, _MAX_HEADER_BYTES)
    if head_end < 0:
        if b"\n\n" in data[:_MAX_HEADER_BYTES]:
            raise FormError(_NO_CRLF)
        raise FormError(f"the head of a part does not end within {_MAX_HEADER_BYTES} bytes")
    headers = _headers(data[:head_end].decode(errors="replace"))
    _, options = parse_options_header(headers.get("content-disposition", "").encode())
    if b"name" not in options:
        raise FormError("a part has no name in its Content-Disposition")
    encoding = headers.get("content-transfer-encoding", "").lower()
    return Part(options[b"name"].decode(errors="replace"), _decoded(data[head_end + 4 :], encoding))


def _headers(head: str) -> dict[str, str]:
    lines = (line.partition(":") for line in _FOLD.sub(" ", head).split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _decoded(data: bytes, encoding: str) -> bytes:
    """Decode a part. RFC 7578 deprecates transfer encodings, but programs that build forms like e-mails send them."""
    match encoding:
        case "" | "7bit" | "8bit" | "binary":
            return data
        case "quoted-printable":
            return quopri.decodestring(data)
        case "base64":
            try:
                return b64decode(b"".join(data.split()), validate=True)
            except ValueError as error:
                raise FormError(f"a part is not valid base64: {error}") from error
    raise FormError(f"a part has the Content-Transfer-Encoding {encoding[:100]}, which is not supported")
