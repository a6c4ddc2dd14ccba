import base64
from io import BytesIO

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from app.formats.format import Format
from app.formats.json import JsonDocument, MaskEncoding
from app.formats.mask import MaskPng
from app.formats.output_format import OutputFormat
from app.formats.overlay import OverlayPng, blend
from app.formats.png_writer import DIGEST_KEY
from app.formats.rle import decode_rle
from model.labels import VOC, Labels
from model.segmentation import NO_TIME, Segmentation

MASKS = st.tuples(st.integers(1, 80), st.integers(1, 40)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 20))
)


def encoded(form: Format, mask: NDArray[np.uint8], *tops: int) -> list[bytes]:
    """Chunks of a response for a mask in bands that begin at the top and at ``tops``."""
    encoder = form.encoder(np.full((*mask.shape, 3), 100, np.uint8), VOC, "d1")
    confidence = 255 - mask
    bands = zip((0, *tops), (*tops, len(mask)), strict=True)
    return [encoder.write(Segmentation(mask[top:end], VOC, NO_TIME, confidence[top:end])) for top, end in bands]


def opened(png: bytes) -> Image.Image:
    picture = Image.open(BytesIO(png))
    picture.load()
    return picture


@settings(max_examples=50)
@given(mask=MASKS)
def test_a_png_stores_indices_and_shows_colours(mask: NDArray[np.uint8]) -> None:
    picture = opened(*encoded(MaskPng(), mask))
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), mask)
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), VOC.colormap(mask))
    assert picture.info[DIGEST_KEY] == "d1"


@settings(max_examples=50)
@given(mask=MASKS)
def test_all_encodings_of_json_hold_the_same_mask(mask: NDArray[np.uint8]) -> None:
    height, width = mask.shape
    documents = {way: orjson.loads(*encoded(JsonDocument(way), mask)) for way in MaskEncoding}
    np.testing.assert_array_equal(documents[MaskEncoding.ROWS]["mask"], mask)
    png = base64.b64decode(documents[MaskEncoding.PNG]["mask"])
    np.testing.assert_array_equal(np.asarray(opened(png)), mask)
    for entry in documents[MaskEncoding.RLE]["mask"]:
        np.testing.assert_array_equal(decode_rle(entry["counts"], height, width), mask == entry["index"])
    assert {entry["index"] for entry in documents[MaskEncoding.RLE]["mask"]} == set(np.unique(mask).tolist())
    assert documents[MaskEncoding.NONE]["mask"] is None


def test_json_counts_the_classes_found() -> None:
    mask = np.array([[0, 0, 15, 8]], dtype=np.uint8)
    document = orjson.loads(*encoded(JsonDocument(MaskEncoding.NONE), mask))
    assert document["width"] == 4
    assert document["height"] == 1
    assert document["classes"] == [
        {"index": 0, "name": "background", "color": [0, 0, 0], "pixels": 2, "fraction": 0.5},
        {"index": 8, "name": "cat", "color": [64, 0, 0], "pixels": 1, "fraction": 0.25},
        {"index": 15, "name": "person", "color": [192, 128, 128], "pixels": 1, "fraction": 0.25},
    ]


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, [100, 100, 100]), (1.0, [64, 0, 0]), (0.5, [82, 50, 50])])
def test_an_overlay_mixes_colours_and_leaves_background_clear(alpha: float, expected: list[int]) -> None:
    picture = opened(*encoded(OverlayPng(alpha), np.array([[0, 8]], dtype=np.uint8)))
    assert np.asarray(picture).tolist() == [[[100, 100, 100], expected]]
    assert picture.info[DIGEST_KEY] == "d1"


def test_without_a_background_every_class_is_laid_over() -> None:
    labels = Labels(("wall", "floor"), ((10, 20, 30), (40, 50, 60)))
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    blend(image, np.array([[0, 1]], dtype=np.uint8), labels, 1.0)
    assert image.tolist() == [[[10, 20, 30], [40, 50, 60]]]


@pytest.mark.parametrize("name", OutputFormat)
@pytest.mark.parametrize("encoding", MaskEncoding)
def test_bands_make_the_same_response_as_all_rows_at_once(name: OutputFormat, encoding: MaskEncoding) -> None:
    form = name.with_parameters(encoding, 0.5)
    mask = np.arange(150 * 7, dtype=np.uint8).reshape(150, 7) % 21
    (whole,) = encoded(form, mask)
    chunks = encoded(form, mask, 1, 70, 149)
    if form.is_streamed:
        assert chunks[0].startswith(b"\x89PNG")
        np.testing.assert_array_equal(np.asarray(opened(b"".join(chunks))), np.asarray(opened(whole)))
    else:
        assert chunks == [b"", b"", b"", whole]


def test_the_suffix_of_a_file_tells_its_format() -> None:
    assert [name.suffix for name in OutputFormat] == [".png", ".json", ".overlay.png", ".confidence.png"]
