"""Ways to damage a file."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from benchmarks.reliability.image_parts import parts, with_right_checksums
from benchmarks.reliability.seeds import HEIGHT, WIDTH

_HEAD_BYTES = 64
"""Number of bytes at the start of a file that are damaged as often as the rest together."""

_POWERS = (0, 5, 8, 14, 15, 16, 24, 31, 32)
"""Exponents of powers of 2 near which numbers overflow or exceed a limit."""

_ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")


def mutant(random: Random, files: Sequence[bytes]) -> bytes:
    """Take a file, or the start of one and the end of another, and damage it in one to three ways."""
    data = random.choice(files)
    if random.random() < 0.1:
        other = random.choice(files)
        data = data[: _place(random, data)] + other[_place(random, other) :]
    for mutate in random.choices(_MUTATIONS, k=random.randint(1, 3)):
        data = mutate(random, data)
    return with_right_checksums(data) if random.random() < 0.5 else data


def _flip_bit(random: Random, data: bytes) -> bytes:
    place, bit = _place(random, data), 1 << random.randrange(8)
    return data[:place] + bytes(byte ^ bit for byte in data[place : place + 1]) + data[place + 1 :]


def _overwrite(random: Random, data: bytes) -> bytes:
    place, number = _place(random, data), _encoded_number(random)
    return data[:place] + number + data[place + len(number) :]


def _insert(random: Random, data: bytes) -> bytes:
    place = _place(random, data)
    return data[:place] + random.choice((_encoded_number(random), random.randbytes(64))) + data[place:]


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: _place(random, data)]


def _resize(random: Random, data: bytes) -> bytes:
    """Write a different number where the width or the height seems to be."""
    size, order = random.randint(2, 4), random.choice(_ORDERS)
    before, found, after = data.partition(random.choice((WIDTH, HEIGHT)).to_bytes(size, order))
    return before + _encode(_number(random), size, order) + after if found else data


def _repeat_part(random: Random, data: bytes) -> bytes:
    found = parts(data)
    place = random.randrange(len(found))
    found[place:place] = [found[place]] * random.choice((1, 2, 30))
    return b"".join(found)


def _remove_part(random: Random, data: bytes) -> bytes:
    found = parts(data)
    del found[random.randrange(len(found))]
    return b"".join(found)


def _move_part(random: Random, data: bytes) -> bytes:
    found = parts(data)
    part = found.pop(random.randrange(len(found)))
    found.insert(random.randint(0, len(found)), part)
    return b"".join(found)


_MUTATIONS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip_bit,
    _overwrite,
    _insert,
    _truncate,
    _resize,
    _repeat_part,
    _remove_part,
    _move_part,
)


def _place(random: Random, data: bytes) -> int:
    return random.randint(0, random.choice((len(data), min(len(data), _HEAD_BYTES))))


def _number(random: Random) -> int:
    return random.choice((2 ** random.choice(_POWERS) + random.randint(-1, 1), random.getrandbits(32)))


def _encoded_number(random: Random) -> bytes:
    return _encode(_number(random), random.choice((1, 2, 4)), random.choice(_ORDERS))


def _encode(number: int, size: int, order: Literal["big", "little"]) -> bytes:
    """Encode the ``size`` lowest bytes of a number."""
    return (number & (1 << 8 * size) - 1).to_bytes(size, order)
