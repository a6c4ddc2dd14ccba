"""A ring buffer for waiting rows: allocating new memory for each band would fragment the heap, and the process would
never return the gaps.
"""

import torch
from torch import Tensor


class RowBuffer:
    """Consecutive rows, added at the bottom and dropped from the top.

    Attributes:
        start: number of the first row.
        stop: number of the row after the last.
        capacity: number of rows to allocate when the first are added; grows if it is not enough.
    """

    def __init__(self) -> None:
        self.start = 0
        self.stop = 0
        self.capacity = 0
        self._memory: Tensor | None = None  # row n lies at n modulo the number of rows allocated

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def nbytes(self) -> int:
        """Bytes of memory allocated, for present and future rows."""
        return 0 if self._memory is None else self._memory.nbytes

    def add(self, start: int, rows: Tensor) -> None:
        """Append a copy of rows, (batch, channels, rows, width), numbered from ``start``.

        ``start`` must equal ``stop`` unless the buffer is empty.
        """
        if not rows.shape[2]:
            return
        if not len(self):
            self.start = self.stop = start
        assert start == self.stop
        self._reserve(len(self) + rows.shape[2], rows)
        self._write(start, rows)

    def drop(self, start: int) -> None:
        """Drop the rows above row ``start``."""
        self.start = min(max(self.start, start), self.stop)

    def slices(self, start: int, stop: int) -> list[Tensor]:
        """Return rows ``start`` to ``stop - 1`` as zero, one or two views of the memory."""
        if stop <= start:
            return []
        assert self._memory is not None
        assert self.start <= start
        assert stop <= self.stop
        capacity = self._memory.shape[2]
        first, count = start % capacity, stop - start
        until_end = min(count, capacity - first)
        parts = [self._memory[:, :, first : first + until_end]]
        if until_end < count:
            parts.append(self._memory[:, :, : count - until_end])
        return parts

    def _reserve(self, count: int, like: Tensor) -> None:
        """Make room for ``count`` rows in all."""
        if self._memory is not None and count <= self._memory.shape[2]:
            return
        kept = self.slices(self.start, self.stop)
        batch, channels, _, width = like.shape
        memory_format = torch.channels_last if like.stride(1) == 1 else torch.contiguous_format
        self.capacity = max(count, self.capacity)
        shape = batch, channels, self.capacity, width
        self._memory = torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=memory_format)
        self.stop = self.start
        for part in kept:
            self._write(self.stop, part)

    def _write(self, start: int, rows: Tensor) -> None:
        assert self._memory is not None
        self.stop = start + rows.shape[2]
        done = 0
        for part in self.slices(start, self.stop):
            part.copy_(rows[:, :, done : done + part.shape[2]])
            done += part.shape[2]
