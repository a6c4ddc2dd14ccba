"""Arguments and conclusion of a campaign."""

import argparse
import signal
import sys
from collections.abc import Sequence

from benchmarks.findings import Finding, table
from benchmarks.machine import describe_machine


def conclude(findings: Sequence[Finding]) -> int:
    """Print the machine and the table; return the exit code, 1 if a requirement is missed."""
    machine = describe_machine()
    print(", ".join(f"{name}: {machine[name]}" for name in ("CPU", "cores", "Python", "commit")))
    print(f"\n{table(findings)}")
    return 0 if all(finding.holds for finding in findings) else 1


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Create the parser of a campaign's arguments.

    From then on SIGTERM raises SystemExit, so that context managers stop what the process started.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.reliability.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
