"""``python -m benchmarks.reliability.decoding_fuzz_target --NAME ...``: has atheris try inputs on a target.

The process ends when one raises anything; the other arguments are libFuzzer's, which ignores the first, and gives it to
processes that it starts.
"""

import sys
import warnings
from random import Random

import atheris

with atheris.instrument_imports(include=["PIL", "app", "pillow_heif", "python_multipart"]):
    from benchmarks.reliability.decoding_targets import TARGETS

from benchmarks.reliability.mutations import mutant


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """What libFuzzer does to bytes, or what we do to files, whose checksums are right then."""
    random = Random(seed)
    if random.random() < 0.5:
        return mutant(random, [data])[:max_size]
    mutated: bytes = atheris.Mutate(data, max_size)
    return mutated


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.argv[0] = f"{sys.executable} -m benchmarks.reliability.decoding_fuzz_target"  # as libFuzzer starts it again
    atheris.Setup(sys.argv, TARGETS[sys.argv[1].removeprefix("--")], custom_mutator=_mutate)
    atheris.Fuzz()
