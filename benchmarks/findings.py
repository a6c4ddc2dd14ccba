"""What was measured, beside what it must be."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a table.

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
