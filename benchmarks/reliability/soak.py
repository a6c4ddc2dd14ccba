"""All proofs in their long forms, one after another; what holds goes into docs/records/reliability.md.

    python -m benchmarks.reliability.soak [NAME ...]

Some hours on two cores, on which nothing else should run. Each proof is bounded in time, puts load on this machine
alone, and is stopped, with all that it has started, if it does not end by itself.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability.check import parser
from benchmarks.service import stop_session

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class LongForm:
    """How a proof is run.

    Attributes:
        arguments: arguments of its command.
        limit_s: seconds after which it is stopped.
    """

    arguments: tuple[str, ...]
    limit_s: float


PROOFS: Mapping[str, LongForm] = {
    "contract": LongForm(("--examples", "200"), 3600),
    "fuzz": LongForm(("--count", "10000"), 3600),
    "decoding_fuzz": LongForm(("--seconds", "600"), 1800),
    "overload": LongForm(("--seconds", "60"), 1200),
    "memory": LongForm(("--seconds", "120"), 1200),
    "saturation": LongForm(("--seconds", "1200"), 1800),
    "termination": LongForm(("--repeats", "50"), 3600),
    "reload": LongForm(("--repeats", "50"), 1800),
    "worker_death": LongForm(("--repeats", "50"), 3600),
    "noisy_neighbours": LongForm(("--seconds", "60", "--rounds", "2"), 1800),
    "determinism": LongForm(("--repeats", "5"), 1800),
    "keys": LongForm(("--samples", "20000"), 600),
}


def run(name: str) -> bool:
    """Whether a proof holds; its output is shown."""
    form = PROOFS[name]
    print(f"\n## {name}\n", flush=True)
    command = [sys.executable, "-m", "benchmarks.page", f"reliability.{name}", *form.arguments]
    process = subprocess.Popen(command, cwd=_ROOT, start_new_session=True)
    try:
        return process.wait(form.limit_s) == 0
    except subprocess.TimeoutExpired:
        print(f"stopped: it took longer than {form.limit_s:.0f} s", flush=True)
        return False
    finally:
        stop_session(process)


def main() -> int:
    arguments = parser("soak", __doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of proofs (all): {', '.join(PROOFS)}")
    names: list[str] = arguments.parse_args().names or list(PROOFS)
    failed = [name for name in names if not run(name)]
    print(f"\n{len(names) - len(failed)} of {len(names)} proofs hold{': not ' + ', '.join(failed) if failed else ''}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
