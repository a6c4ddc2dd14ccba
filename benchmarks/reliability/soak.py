"""All proofs in their long forms, one after another; those that hold are recorded in docs/records/reliability.md.

    python -m benchmarks.reliability.soak [NAME ...]

This takes some hours on two cores, on which nothing else should run. Each proof is bounded in time and loads only this
machine. A proof that exceeds its time is stopped, with all its child processes.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.reliability.check import parser
from benchmarks.service import stop_session

_ROOT = Path(__file__).parents[2]


PROOFS: Mapping[str, float] = {
    "contract": 3600,
    "fuzz": 3600,
    "decoding_fuzz": 1800,
    "overload": 1200,
    "memory": 1200,
    "saturation": 1800,
    "termination": 3600,
    "reload": 1800,
    "worker_death": 3600,
    "noisy_neighbours": 1800,
    "determinism": 1800,
    "keys": 600,
}
"""Proof -> timeout in seconds. The proofs' default arguments are their long forms."""


def run(name: str) -> bool:
    """Run a proof, print its output, and return whether it holds."""
    print(f"\n## {name}\n", flush=True)
    command = [sys.executable, "-m", "benchmarks.page", f"reliability.{name}"]
    process = subprocess.Popen(command, cwd=_ROOT, start_new_session=True)
    try:
        return process.wait(PROOFS[name]) == 0
    except subprocess.TimeoutExpired:
        print(f"stopped: it took longer than {PROOFS[name]:.0f} s", flush=True)
        return False
    finally:
        stop_session(process)


def main() -> int:
    arguments = parser("soak", __doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"proofs to run (all): {', '.join(PROOFS)}")
    names: list[str] = arguments.parse_args().names or list(PROOFS)
    failed = [name for name in names if not run(name)]
    print(f"\n{len(names) - len(failed)} of {len(names)} proofs hold{': not ' + ', '.join(failed) if failed else ''}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
