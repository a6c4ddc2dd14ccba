"""What fuzzed requests are drawn from."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from benchmarks.reliability.fuzz_mutations import mutant

_Value = TypeVar("_Value")

_PADDING_BYTES = 1 << 16


def weighted(*choices: tuple[int, st.SearchStrategy[_Value]]) -> st.SearchStrategy[_Value]:
    """One of some strategies, each as often as its weight says; ``one_of`` takes equal ones for one."""
    return st.sampled_from([strategy for weight, strategy in choices for _ in range(weight)]).flatmap(lambda one: one)


def damages(one_in: int) -> st.SearchStrategy[int | None]:
    """Seeds of what is damaged, and None for what is not."""
    return weighted((one_in - 1, st.none()), (1, st.integers(0, 2**64 - 1)))


def damaged(data: bytes, damage: int | None) -> bytes:
    """As one of ``damages`` says."""
    return data if damage is None else mutant(Random(damage), [data])


def files(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Images, as they are, damaged, and what is none."""
    whole = st.sampled_from(seeds)
    mutants = st.integers(0, 2**64 - 1).map(lambda number: mutant(Random(number), seeds))
    noise = st.binary(max_size=2000)
    started = st.builds(lambda file, end: file[:16] + end, whole, noise)
    padded = whole.map(lambda file: file + bytes(_PADDING_BYTES))
    return weighted((16, mutants), (1, whole), (1, noise), (1, started), (1, padded))
