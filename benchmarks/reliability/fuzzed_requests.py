"""Requests for masks with malformed bodies."""

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from random import Random
from typing import Any, TypeAlias
from urllib.parse import urlencode

from PIL import Image

from app.api.oip.body import LENGTH_HEADER
from app.api.oip.schemas import MODEL
from app.api.oip_error import PREFIX
from app.api.schemas import SegmentQuery
from app.api.uploads import FIELD
from app.formats.json import MaskEncoding
from app.formats.output_format import OutputFormat
from benchmarks.reliability.mutations import mutant
from model.tiling import Tiling

Headers: TypeAlias = tuple[tuple[str, str], ...]

_INFER = f"{PREFIX}/models/{MODEL}/infer"
_MEDIA_TYPES = ("image/jpeg", "image/png", "image/*", "application/octet-stream", "")
_VALUES: dict[str, Sequence[object]] = {
    "format": tuple(OutputFormat),
    "mask": tuple(MaskEncoding),
    "tiling": tuple(Tiling),
    "alpha": (0, 0.5, 1),
}
_TOLD_BOUNDARIES = ('"{}"', "{}; charset=utf-16", "{}; charset=nonsense", "another", "", "x" * 300)
_CHUNK_BYTES = 700
_PADDING_BYTES = 1 << 16
_VALUES_IN_JSON = 600


@dataclass(frozen=True, slots=True)
class FuzzedRequest:
    """A POST request.

    Attributes:
        target: path and query.
        headers: all headers except those for the body's length.
        body: body before it is split into chunks.
        is_chunked: whether the body is sent in chunks, without a length.
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
    """Draw random requests.

    Args:
        images: image files to send intact, damaged, and in forms.
        count: number of requests.
        name: seed of the requests.
    """
    random = Random(name)
    for _ in range(count):
        if random.random() < 0.25:
            target, (headers, body) = _INFER, _inference(random, _image(random, images))
        else:
            target = f"/segment?{_query(random)}"
            headers, body = _form(random, images) if random.random() < 1 / 3 else _file(random, images)
        yield FuzzedRequest(target, headers, body, random.random() < 0.5)


def largest_requests() -> Iterator[FuzzedRequest]:
    """Yield whole images after which a service limited to a million pixels holds all the memory that it ever keeps.

    They have enough sizes to fill oneDNN's kernel cache (1,024 entries, some ten per size). The largest comes in every
    format, and so does an image wide enough to be predicted by columns, for which the network is prepared on first use.
    """
    sides = range(32, 416, 32)
    for height, width in product(sides, sides):
        yield _whole(height, width, Tiling.WHOLE, OutputFormat.PNG)
    for output in OutputFormat:
        yield _whole(1000, 1000, Tiling.AUTO, output)
        yield _whole(32, 31_000, Tiling.EXACT, output)


def _whole(height: int, width: int, tiling: Tiling, output: OutputFormat) -> FuzzedRequest:
    file = BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    headers = (("Content-Type", "image/png"),)
    return FuzzedRequest(f"/segment?tiling={tiling}&format={output}", headers, file.getvalue(), is_chunked=False)


def _chunks(body: bytes) -> bytes:
    pieces = [body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def _query(random: Random) -> str:
    names = [name for name in _VALUES if random.random() < 0.5]
    query = {name: random.choice(_VALUES[name]) for name in names}
    if random.random() < 0.05:
        query[random.choice([*_VALUES, "other"])] = _text(random, 20)
    return urlencode(query, errors="replace")


def _image(random: Random, images: Sequence[bytes]) -> bytes:
    """Usually a damaged file, otherwise a whole one or no image at all."""
    noise = random.randbytes(random.randrange(2000))
    whole = random.choice(images)
    others = (whole, noise, whole[:16] + noise, whole + bytes(_PADDING_BYTES))
    return mutant(random, images) if random.random() < 0.8 else random.choice(others)


def _file(random: Random, images: Sequence[bytes]) -> tuple[Headers, bytes]:
    media_type = random.choice(_MEDIA_TYPES)
    return ((("Content-Type", media_type),) if media_type else ()), _image(random, images)


def _form(random: Random, images: Sequence[bytes]) -> tuple[Headers, bytes]:
    boundary = random.choice(("boundary", "'()+_,./:=?-", "b" * 70))
    told = "{}" if random.random() < 0.8 else random.choice(_TOLD_BOUNDARIES)
    parts = [_part(random, images) for _ in range(random.choice((1, 1, 1, 4)))]
    parts *= 12 if random.random() < 0.05 else 1
    around = random.choice((b"", b"", b"", b"\r\n", b"preamble\r\n", b"X: 1\r\n\r\n"))
    padding = random.choice((b"", b"", b"", b" ", b"\t  "))
    delimiter = b"--" + boundary.encode()
    written = b"".join(delimiter + padding + b"\r\n" + part + b"\r\n" for part in parts)
    body = around + written + delimiter + b"--\r\n" + around
    headers = (("Content-Type", f"multipart/form-data; boundary={told.format(boundary)}"),)
    return headers, _sometimes_damaged(random, body, 1 / 6)


def _part(random: Random, images: Sequence[bytes]) -> bytes:
    usual, (parameter, value) = random.random() < 0.8, random.choice([*_VALUES.items()])
    name = FIELD if usual else random.choice([*SegmentQuery.model_fields, _text(random, 20)])
    file_name = random.choice(("", '; filename="cat.jpg"', f'; filename="{_text(random, 40)}"'))
    lines = [f'Content-Disposition: form-data; name="{name}"{file_name}']
    if random.random() < 0.2:
        field = random.choice(("Content-Type", "Content-Transfer-Encoding", "X", parameter))
        lines.append(f"{field}: {random.choice((_text(random, 40), 'base64', 'binary', 'x' * 5000))}")
    content = _image(random, images) if usual else str(random.choice([*value, "nan"])).encode()
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + content


def _inference(random: Random, image: bytes) -> tuple[Headers, bytes]:
    """Headers and body of an inference request, with an image file or with its bytes as if they were pixels."""
    way = random.choice((_file_as_bytes, _file_as_bytes, _file_in_base64, _pixels_as_bytes, _pixels_in_json))
    described, binary = way(image)
    text = json.dumps({"inputs": [described], **_document(random)}).encode()
    error = random.randint(-100, 100) if random.random() < 0.1 else 0  # of the announced length
    headers = [(LENGTH_HEADER, str(len(text) + error))] if binary or error else []
    body = _sometimes_damaged(random, text + binary, 1 / 4)
    if random.random() < 1 / 3:
        encoding, compress = random.choice((("gzip", _gzip), ("deflate", zlib.compress)))
        headers.append(("Content-Encoding", encoding))
        body = _sometimes_damaged(random, compress(body), 1 / 4)
    return tuple(headers), body


def _document(random: Random) -> dict[str, Any]:
    """Fields of an inference request beside its inputs, valid nine times out of ten."""
    if random.random() < 0.1:
        return {random.choice(("id", "inputs", "outputs", "parameters")): _text(random, 8)}
    names = random.choices(("mask", "confidence"), k=random.randint(0, 2))
    outputs = [{"name": name, "parameters": {"binary_data": random.random() < 0.5}} for name in names]
    parameters = {"tiling": random.choice(_VALUES["tiling"]), "binary_data_output": random.random() < 0.5}
    whole = {"id": _text(random, 20), "outputs": outputs, "parameters": parameters}
    return {name: value for name, value in whole.items() if random.random() < 0.5}


def _file_as_bytes(image: bytes) -> tuple[dict[str, Any], bytes]:
    element = len(image).to_bytes(4, "little") + image
    return _described("image", [1], parameters={"binary_data_size": len(element)}), element


def _file_in_base64(image: bytes) -> tuple[dict[str, Any], bytes]:
    return _described("image", [1], data=[b64encode(image).decode()]), b""


def _pixels_as_bytes(image: bytes) -> tuple[dict[str, Any], bytes]:
    shape, values = _pixels(image)
    return _described("pixels", shape, parameters={"binary_data_size": len(values)}), values


def _pixels_in_json(image: bytes) -> tuple[dict[str, Any], bytes]:
    shape, values = _pixels(image[:_VALUES_IN_JSON])
    return _described("pixels", shape, data=[*values]), b""


def _pixels(image: bytes) -> tuple[list[int], bytes]:
    """Shape and bytes of pixels: the last byte sets the width, the number of bytes the height."""
    width = 1 + sum(image[-1:]) % 60
    height = len(image) // (3 * width)
    return [height, width, 3], image[: height * width * 3]


def _described(name: str, shape: Sequence[int], **rest: object) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES" if name == "image" else "UINT8", "shape": shape, **rest}


def _gzip(body: bytes) -> bytes:
    """Compress without the current time, so that requests of the same seed are equal."""
    return gzip.compress(body, mtime=0)


def _sometimes_damaged(random: Random, body: bytes, share: float) -> bytes:
    return mutant(random, [body]) if random.random() < share else body


def _text(random: Random, most: int) -> str:
    """Random characters of the basic plane, control characters and quotes included."""
    codes = (random.choice((random.randrange(0x20, 0x7F), random.randrange(0xD800))) for _ in range(most))
    return "".join(map(chr, codes))[: random.randint(0, most)]
