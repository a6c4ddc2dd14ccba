import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from app.api.oip.schemas import MODEL
from app.formats.tensors import Output, Tensors
from app.pipeline.cost import Size, estimate_cost
from model.labels import VOC
from model.segmentation import NO_TIME, Segmentation
from model.tiling import Tiling, TilingLimits

DIGEST = "0123456789abcdef" * 4
MASK = np.arange(130 * 7, dtype=np.uint8).reshape(130, 7) % 21
CONFIDENCE = np.arange(130 * 7, dtype=np.uint8).reshape(130, 7)


def _encoded(*outputs: Output, mask: NDArray[np.uint8] = MASK) -> tuple[dict[str, object], bytes]:
    """The JSON of a response, and the bytes that follow it."""
    tensors = Tensors(MODEL, outputs, None)
    height, width = mask.shape
    encoder = tensors.encoder(np.zeros((height, width, 3), np.uint8), VOC, DIGEST)
    bands = [
        Segmentation(mask[rows], VOC, NO_TIME, CONFIDENCE[rows, :width]) for rows in (slice(0, 9), slice(9, height))
    ]
    first, body = (encoder.write(band) for band in bands)
    assert first == b""
    length = tensors.json_bytes(len(body), mask.size)
    return orjson.loads(body[:length]), body[length:]


def test_tensors_are_numbers_in_json() -> None:
    document, rest = _encoded(Output("mask", is_binary=False), Output("confidence", is_binary=False))
    assert document == {
        "model_name": "segmentation",
        "model_version": "0123456789ab",
        "outputs": [
            {"name": "mask", "datatype": "UINT8", "shape": [130, 7], "data": MASK.ravel().tolist()},
            {"name": "confidence", "datatype": "UINT8", "shape": [130, 7], "data": CONFIDENCE.ravel().tolist()},
        ],
    }
    assert rest == b""


def test_bytes_follow_the_json_in_its_order() -> None:
    document, rest = _encoded(Output("confidence", is_binary=True), Output("mask", is_binary=True))
    sizes = {"parameters": {"binary_data_size": 910}}
    assert document["outputs"] == [
        {"name": "confidence", "datatype": "UINT8", "shape": [130, 7], **sizes},
        {"name": "mask", "datatype": "UINT8", "shape": [130, 7], **sizes},
    ]
    assert rest == CONFIDENCE.tobytes() + MASK.tobytes()


def test_both_may_be_in_one_answer() -> None:
    document, rest = _encoded(Output("mask", is_binary=True), Output("confidence", is_binary=False))
    assert [("data" in output) for output in document["outputs"]] == [False, True]  # type: ignore[attr-defined]
    assert rest == MASK.tobytes()


@pytest.mark.parametrize("scattered", [np.asfortranarray(MASK), MASK[:, ::2], MASK[:, :1], MASK[::2, 3:4]])
def test_a_mask_of_scattered_memory_is_row_major_all_the_same(scattered: NDArray[np.uint8]) -> None:
    assert _encoded(Output("mask", is_binary=True), mask=scattered)[1] == scattered.tobytes()
    document, _ = _encoded(Output("mask", is_binary=False), mask=scattered)
    assert document["outputs"][0]["data"] == scattered.ravel().tolist()  # type: ignore[index]


@pytest.mark.parametrize(
    ("outputs", "answer_bytes"),
    [
        ([Output("mask", is_binary=True)], 1),
        ([Output("mask", is_binary=False)], 8),
        ([Output("confidence", is_binary=True)], 2),
        ([Output("mask", is_binary=True), Output("confidence", is_binary=False)], 10),
    ],
)
def test_an_answer_is_priced_by_what_it_holds(outputs: list[Output], answer_bytes: int) -> None:
    tensors = Tensors(MODEL, tuple(outputs), None)
    cost = estimate_cost(320, 320, 7, tensors, Tiling.AUTO, TilingLimits(), max_pixels=10**8)
    assert cost.size is Size.SMALL
    assert cost.response_bytes == 320 * 320 * answer_bytes
    assert cost.work_bytes == 320 * 320 * (4 + answer_bytes)
    assert not estimate_cost(5000, 5000, 7, tensors, Tiling.AUTO, TilingLimits(), max_pixels=10**8).is_streamed
