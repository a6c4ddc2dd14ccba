"""What was found of each engine, as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.engines.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Finding:
    """One engine's speed and scores.

    Attributes:
        name: name of the engine.
        milliseconds: "height x width" -> median of a call.
        agreement: how near its scores are to the reference's.
    """

    name: str
    milliseconds: Mapping[str, float]
    agreement: Agreement


def table(findings: Sequence[Finding]) -> str:
    """Markdown; the first engine is the reference that the others' times are put in relation to."""
    reference = findings[0].milliseconds
    head = ["engine", *(f"{size}, ms" for size in reference), "max difference", "other winners"]
    rows = [head, ["---", *("---:" for _ in head[1:])]]
    rows += [
        [
            finding.name,
            *(f"{taken:.1f} ({taken / reference[size]:.2f})" for size, taken in finding.milliseconds.items()),
            f"{finding.agreement.difference:.2g}",
            f"{finding.agreement.differing:.3%}",
        ]
        for finding in findings
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
