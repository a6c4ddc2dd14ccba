"""Measured values beside their bounds."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a table.

    Attributes:
        what: what was measured.
        seen: measured value, formatted.
        must: required value, formatted; empty if the row only informs.
        holds: whether the measured value meets the requirement.
    """

    what: str
    seen: str
    must: str = ""
    holds: bool = True


def at_most(what: str, value: float, bound: float, form: str) -> Finding:
    """Require that a value does not exceed a bound; NaN fails.

    Args:
        what: what was measured.
        value: measured value.
        bound: greatest value that passes.
        form: format string of both, such as ``{:.1f} ms``.
    """
    return Finding(what, form.format(value), f"at most {form.format(bound)}", value <= bound)


def at_least(what: str, value: float, bound: float, form: str) -> Finding:
    """Require that a value is not below a bound; NaN fails."""
    return Finding(what, form.format(value), f"at least {form.format(bound)}", value >= bound)


def none_of(what: str, count: int, examples: Sequence[object] = ()) -> Finding:
    """Require a count of zero; a failing row names up to three examples."""
    told = ", ".join(str(example) for example in examples[:3])
    return Finding(what, f"{count} ({told})" if told and count else str(count), "0", count == 0)


def table(findings: Sequence[Finding]) -> str:
    """Render findings as a Markdown table, missed requirements in bold."""
    lines = ["| what | seen | must be |", "| --- | --- | --- |"]
    for finding in findings:
        seen = finding.seen if finding.holds else f"**{finding.seen}: missed**"
        lines.append(f"| {finding.what} | {seen} | {finding.must} |")
    return "\n".join(lines)
