"""``python -m benchmarks.reliability.decoding_fuzz_target --NAME ...``: let atheris try inputs on a target.

The process ends when an input raises an exception. The other arguments are for libFuzzer, which ignores the first and
passes it on to the processes that it starts.
"""

import sys
import warnings
from random import Random

import atheris

with atheris.instrument_imports(include=["PIL", "app", "pillow_heif", "python_multipart"]):
    from benchmarks.reliability.decoding_targets import TARGETS

from benchmarks.reliability.mutations import mutant


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Apply a mutation of libFuzzer, or one of ours, which knows file formats and can correct checksums."""
    random = Random(seed)
    if random.random() < 0.5:
        return mutant(random, [data])[:max_size]
    mutated: bytes = atheris.Mutate(data, max_size)
    return mutated


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # libFuzzer restarts the process with this command.
    sys.argv[0] = f"{sys.executable} -m benchmarks.reliability.decoding_fuzz_target"
    atheris.Setup(sys.argv, TARGETS[sys.argv[1].removeprefix("--")], custom_mutator=_mutate)
    atheris.Fuzz()
