"""The samples of each step's batch, and their loader."""

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from training.data.copy_paste import paste_class
from training.data.dataset import VocDataset
from training.data.transforms import Crop, JointTransform
from training.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that contributes ``per_batch`` samples to every batch.

    Attributes:
        dataset: the data set.
        per_batch: samples per batch.
        weights: (N,) float64 probabilities of the samples, of sum 1; None shows each sample once per epoch.
        donor_weights: (N,) float64 probabilities of the samples as donors for copy-paste, of sum 1; None if the source
            has no donors.
    """

    dataset: VocDataset
    per_batch: int
    weights: NDArray[np.float64] | None = None
    donor_weights: NDArray[np.float64] | None = None

    def order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Draw the indices of the samples of one epoch."""
        size = len(self.dataset)
        return random.permutation(size) if self.weights is None else random.choice(size, size, p=self.weights)


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample of one batch: its source, its index there, and the seed of its transform."""

    source: int
    index: int
    seed: int


class BatchSampler(Sampler[list[Draw]]):
    """Yields the draws of each step from ``first_step`` on; they depend only on the seed and the step.

    With several processes, each takes every ``processes``-th draw of the batch.
    """

    def __init__(
        self, sources: Sequence[Source], seed: int, first_step: int, last_step: int, rank: int = 0, processes: int = 1
    ) -> None:
        self._sources = sources
        self._seed = seed
        self._steps = range(first_step, last_step)
        self._share = slice(rank, None, processes)
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

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
            order = self._order(number, epoch)
            seed = np.random.SeedSequence([self._seed, number, place]).generate_state(1)[0]
            yield Draw(number, int(order[rest]), int(seed))

    def _order(self, number: int, epoch: int) -> NDArray[np.int64]:
        """Order of a source's samples in an epoch; drawn once, as it takes time for large data sets."""
        drawn, order = self._orders.get(number, (None, None))
        if order is None or drawn != epoch:
            order = self._sources[number].order(np.random.default_rng([self._seed, number, epoch]))
            self._orders[number] = epoch, order
        return order


class _Samples(Dataset[Crop]):
    def __init__(self, sources: Sequence[Source], transform: JointTransform, copy_paste: float) -> None:
        self._sources = sources
        self._transform = transform
        self._copy_paste = copy_paste

    def __getitem__(self, draw: Draw) -> Crop:
        crop = self._transform(self._sources[draw.source].dataset[draw.index], draw.seed)
        random = np.random.default_rng([draw.seed, 1])
        if random.random() >= self._copy_paste:
            return crop
        return paste_class(self._donor(random), crop, random)

    def _donor(self, random: np.random.Generator) -> Crop:
        donors = [source for source in self._sources if source.donor_weights is not None]
        sizes = np.array([len(source.dataset) for source in donors])
        source = donors[int(random.choice(len(donors), p=sizes / sizes.sum()))]
        index = int(random.choice(len(source.dataset), p=source.donor_weights))
        return self._transform(source.dataset[index], int(random.integers(2**32)))


def batches(
    sources: Sequence[Source],
    sampler: BatchSampler,
    transform: JointTransform,
    workers: int,
    *,
    copy_paste: float = 0.0,
    pin_memory: bool = False,
) -> "DataLoader[Crop]":
    """Make a loader of the sampler's batches; it yields ``Crop`` with a leading batch dimension.

    Raises:
        ConfigError: ``copy_paste`` is above 0 and no source has donors.
    """
    if copy_paste and all(source.donor_weights is None for source in sources):
        raise ConfigError("copy_paste needs a source with masks")
    return DataLoader(
        _Samples(sources, transform, copy_paste),
        batch_sampler=sampler,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_keyboard,
    )


def _ignore_keyboard(_worker: int) -> None:
    """Ignore SIGINT in data loading processes: Ctrl-C reaches them too, but the trainer stops them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
