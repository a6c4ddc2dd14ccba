"""What a campaign has found, beside what must be."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.machine import describe_machine


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a campaign's table.

    Attributes:
        what: was looked at.
        seen: what was seen of it.
        must: be; empty if it is only told.
        holds: whether it is as it must be.
    """

    what: str
    seen: str
    must: str = ""
    holds: bool = True


def at_most(what: str, value: float, bound: float, form: str) -> Finding:
    """A value that a bound must not be below; NaN is above any.

    Args:
        what: it is.
        value: what was measured.
        bound: greatest value that holds.
        form: how both are written, as ``{:.1f} ms``.
    """
    return Finding(what, form.format(value), f"at most {form.format(bound)}", value <= bound)


def at_least(what: str, value: float, bound: float, form: str) -> Finding:
    """A value that must not be below a bound; NaN is below any."""
    return Finding(what, form.format(value), f"at least {form.format(bound)}", value >= bound)


def none_of(what: str, count: int, examples: Sequence[object] = ()) -> Finding:
    """Something that must not be; some examples are told where it was."""
    told = ", ".join(str(example) for example in examples[:3])
    return Finding(what, f"{count} ({told})" if told and count else str(count), "0", count == 0)


def table(findings: Sequence[Finding]) -> str:
    """As Markdown; what is not as it must be is in bold."""
    lines = ["| what | seen | must be |", "| --- | --- | --- |"]
    for finding in findings:
        seen = finding.seen if finding.holds else f"**{finding.seen}: missed**"
        lines.append(f"| {finding.what} | {seen} | {finding.must} |")
    return "\n".join(lines)


def conclude(findings: Sequence[Finding]) -> int:
    """Print the machine and the table; the exit code."""
    machine = describe_machine()
    print(", ".join(f"{name}: {machine[name]}" for name in ("CPU", "cores", "Python", "commit")))
    print(f"\n{table(findings)}")
    return 0 if all(finding.holds for finding in findings) else 1


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Parser of a campaign's arguments. From now on SIGTERM ends the process in order, and with it what it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.reliability.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
