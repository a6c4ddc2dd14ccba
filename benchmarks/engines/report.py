"""What was found of each engine, as a table and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from benchmarks.engines.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one engine.

    Attributes:
        name: of the engine.
        lossy: whether it computes in fewer bits than float32.
        milliseconds: "height x width" -> median of a call.
        ratios: the same, over the reference's.
        agreement: with the reference's scores.
        scores: name of a measure -> 0..1; empty if not asked for.
    """

    name: str
    lossy: bool
    milliseconds: dict[str, float]
    ratios: dict[str, float]
    agreement: Agreement
    scores: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All that a run found.

    Attributes:
        machine: where.
        threads: that each engine had.
        checkpoint: SHA-256 of the weights' file.
        findings: the reference first.
        absent: engine -> why it is left out.
    """

    machine: dict[str, str]
    threads: int
    checkpoint: str
    findings: Sequence[Finding]
    absent: dict[str, str]

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    def table(self) -> str:
        """Markdown."""
        sizes, measures = list(self.findings[0].milliseconds), list(self.findings[0].scores)
        head = ["engine", *(f"{size}, ms" for size in sizes), "max difference", "other winners", *measures]
        rows = [head, ["---", *("---:" for _ in head[1:])]]
        rows += [
            [
                finding.name,
                *(f"{finding.milliseconds[size]:.1f} ({finding.ratios[size]:.2f})" for size in sizes),
                f"{finding.agreement.difference:.2g}",
                f"{finding.agreement.differing:.3%}",
                *(f"{finding.scores[measure]:.4f}" for measure in measures),
            ]
            for finding in self.findings
        ]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        machine = ", ".join(f"{name}: {value}" for name, value in self.machine.items())
        lines += [
            "",
            f"Scores are up to {self.findings[0].agreement.largest:.2f}. {self.threads} threads. {machine}.",
        ]
        lines += [f"Left out: {name}: {reason}." for name, reason in self.absent.items()]
        return "\n".join(lines)
