"""Which samples make up a step's batch, and the loader that brings them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from training.dataset import VocDataset
from training.errors import ConfigError
from training.interruption import ignore_keyboard
from training.transforms import Crop, JointTransform


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that gives ``per_batch`` of its samples to every batch.

    Attributes:
        dataset: the data set.
        per_batch: samples in each batch.
        weights: (N,) float64 chances of the samples, of sum 1; None shows each sample once before any comes again.

    Raises:
        ConfigError: ``per_batch`` is less than 1.
    """

    dataset: VocDataset
    per_batch: int
    weights: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.per_batch < 1:
            raise ConfigError(f"a source gives at least 1 sample to a batch, not {self.per_batch}")

    def order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Indices of the samples of one epoch."""
        size = len(self.dataset)
        return random.permutation(size) if self.weights is None else random.choice(size, size, p=self.weights)


def balancing_weights(shows: NDArray[np.bool_], balance: float) -> NDArray[np.float64]:
    """Chances that favour samples of rare classes.

    Args:
        shows: (N, K), whether a sample shows a class.
        balance: 0 gives all samples the same chance; 1 chances in inverse proportion to the number of samples that show
            the sample's rarest class.

    Returns:
        (N,) float64, of sum 1.
    """
    frequency = shows.sum(axis=0)
    rarest = np.where(shows, frequency, len(shows)).min(axis=1)
    weights: NDArray[np.float64] = rarest.astype(np.float64) ** -balance
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample of one batch: its source, its index there, and the seed of its transform."""

    source: int
    index: int
    seed: int


class BatchSampler(Sampler[list[Draw]]):
    """The draws of each step from ``first_step`` on; a function of the seed and the step alone.

    Of several processes, each has every ``processes``-th draw of the batch.
    """

    def __init__(
        self, sources: Sequence[Source], seed: int, first_step: int, last_step: int, rank: int = 0, processes: int = 1
    ) -> None:
        self._sources = sources
        self._seed = seed
        self._steps = range(first_step, last_step)
        self._share = slice(rank, None, processes)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Draw]]:
        for step in self._steps:
            batch = [draw for number in range(len(self._sources)) for draw in self._draws(number, step)]
            yield batch[self._share]

    def _draws(self, number: int, step: int) -> Iterator[Draw]:
        source = self._sources[number]
        for place in range(step * source.per_batch, (step + 1) * source.per_batch):
            epoch, rest = divmod(place, len(source.dataset))
            order = source.order(np.random.default_rng([self._seed, number, epoch]))
            seed = np.random.SeedSequence([self._seed, number, place]).generate_state(1)[0]
            yield Draw(number, int(order[rest]), int(seed))


class _Samples(Dataset[Crop]):
    def __init__(self, sources: Sequence[Source], transform: JointTransform) -> None:
        self._sources = sources
        self._transform = transform

    def __getitem__(self, draw: Draw) -> Crop:
        return self._transform(self._sources[draw.source].dataset[draw.index], draw.seed)


def batches(
    sources: Sequence[Source],
    sampler: BatchSampler,
    transform: JointTransform,
    workers: int,
    *,
    pin_memory: bool = False,
) -> "DataLoader[Crop]":
    """Loader of the sampler's batches; yields ``Crop`` with a batch dimension in front."""
    return DataLoader(
        _Samples(sources, transform),
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=ignore_keyboard,
    )
