"""Which samples make up a step's batch, and the loader that brings them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from training.dataset import VocDataset
from training.errors import ConfigError
from training.transforms import JointTransform


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that gives ``per_batch`` of its samples to every batch, each sample once before any comes again.

    Raises:
        ConfigError: ``per_batch`` is less than 1.
    """

    dataset: VocDataset
    per_batch: int

    def __post_init__(self) -> None:
        if self.per_batch < 1:
            raise ConfigError(f"a source gives at least 1 sample to a batch, not {self.per_batch}")


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample of one batch: its source, its index there, and the seed of its transform."""

    source: int
    index: int
    seed: int


class BatchSampler(Sampler[list[Draw]]):
    """The draws of each step from ``first_step`` on; a function of the seed and the step alone."""

    def __init__(self, sources: Sequence[Source], seed: int, first_step: int, last_step: int) -> None:
        self._sources = sources
        self._seed = seed
        self._steps = range(first_step, last_step)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in self._steps:
            yield [draw for number in range(len(self._sources)) for draw in self._draws(number, step)]

    def _draws(self, number: int, step: int) -> Iterator[Draw]:
        source = self._sources[number]
        for place in range(step * source.per_batch, (step + 1) * source.per_batch):
            epoch, rest = divmod(place, len(source.dataset))
            order = np.random.default_rng([self._seed, number, epoch]).permutation(len(source.dataset))
            seed = np.random.SeedSequence([self._seed, number, place]).generate_state(1)[0]
            yield Draw(number, int(order[rest]), int(seed))


class _Samples(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, sources: Sequence[Source], transform: JointTransform) -> None:
        self._sources = sources
        self._transform = transform

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        return self._transform(self._sources[draw.source].dataset[draw.index], draw.seed)


def batches(
    sources: Sequence[Source], transform: JointTransform, seed: int, first_step: int, last_step: int, workers: int
) -> "DataLoader[tuple[Tensor, Tensor]]":
    """Loader of the batches of steps ``first_step`` to ``last_step - 1``.

    Yields images (B, 3, crop, crop) uint8 and masks (B, crop, crop) uint8.
    """
    return DataLoader(
        _Samples(sources, transform),
        batch_sampler=BatchSampler(sources, seed, first_step, last_step),
        num_workers=workers,
        pin_memory=False,
        persistent_workers=False,
    )
