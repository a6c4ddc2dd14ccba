import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.streaming.row_buffer import RowBuffer


def _numbered(start: int, stop: int, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Rows whose values are their numbers, (1, 2, rows, 3)."""
    rows = torch.arange(start, stop, dtype=torch.float32).view(1, 1, -1, 1).expand(1, 2, -1, 3)
    return rows.contiguous(memory_format=memory_format)


def _joined(buffer: RowBuffer, start: int, stop: int) -> Tensor:
    return torch.cat([_numbered(0, 0), *buffer.slices(start, stop)], dim=2)


@given(
    capacity=st.integers(0, 12),
    moves=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), min_size=1, max_size=20),
    memory_format=st.sampled_from([torch.contiguous_format, torch.channels_last]),
)
def test_rows_are_given_back_as_they_were(
    capacity: int, moves: list[tuple[int, int]], memory_format: torch.memory_format
) -> None:
    buffer = RowBuffer()
    buffer.capacity = capacity
    start = stop = 3
    for added, dropped in moves:
        buffer.add(stop, _numbered(stop, stop + added, memory_format))
        stop += added
        assert torch.equal(_joined(buffer, start, stop), _numbered(start, stop))
        start = min(start + dropped, stop)
        buffer.drop(start)
        assert len(buffer) in (stop - start, 0)
        assert torch.equal(_joined(buffer, start, stop), _numbered(start, stop))
    assert all(part.stride(1) == 1 for part in buffer.slices(start, stop)) or memory_format is torch.contiguous_format


def test_memory_is_used_again_and_rows_are_read_where_they_lie() -> None:
    buffer = RowBuffer()
    buffer.capacity = 8
    buffer.add(0, _numbered(0, 6))
    (first,) = buffer.slices(0, 6)
    for start in range(6, 60, 2):
        buffer.drop(start - 4)
        buffer.add(start, _numbered(start, start + 2))
    assert {part.untyped_storage().data_ptr() for part in buffer.slices(56, 60)} == {first.untyped_storage().data_ptr()}
    assert buffer.nbytes == 8 * first.nbytes // 6


def test_a_gap_between_rows_is_an_error() -> None:
    buffer = RowBuffer()
    buffer.add(0, _numbered(0, 2))
    with pytest.raises(AssertionError):
        buffer.add(3, _numbered(3, 4))
