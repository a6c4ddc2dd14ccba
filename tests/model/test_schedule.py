import pytest
import torch

from model.networks import Architecture
from model.streaming import Stream, fuse, trace_scores
from tests.model.random_checkpoint import random_checkpoint


@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.parametrize(("band_rows", "rows"), [(32, 1600), (96, 1600), (160, 1600), (224, 1600), (2080, 8320)])
def test_the_rehearsal_knows_how_many_rows_wait(architecture: Architecture, band_rows: int, rows: int) -> None:
    program = fuse(trace_scores(random_checkpoint(architecture).build()))
    most = [0] * (len(program.steps) + 1)

    def reserved(stream: Stream) -> None:
        for number, value in enumerate(stream._values):
            most[number] = max(most[number], len(value._waiting))

    stream = Stream(program, rows, interrupt=lambda: reserved(stream))
    with torch.inference_mode():
        for top in range(0, rows, band_rows):
            stream.feed(torch.zeros(1, 3, min(band_rows, rows - top), 32))
            while stream.advance():
                stream.take()
    assert sum(most) > 0
    # One more row may wait at the end of an image whose rows are not a multiple of a tile's.
    assert all(seen <= rehearsed + 1 for seen, rehearsed in zip(most, program.waiting_rows(band_rows), strict=True))


def test_rows_of_an_image_that_is_fed_at_once_do_not_wait() -> None:
    program = trace_scores(random_checkpoint(Architecture.FCN8S).build())
    stream = Stream(program, 96)
    with torch.inference_mode():
        stream.feed(torch.zeros(1, 3, 96, 64))
        stream.advance()
    assert not program._waiting_rows
    assert all(len(value._waiting) == 0 for value in stream._values)
