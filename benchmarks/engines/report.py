"""Tables of the engines' results."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks import findings as bounds
from benchmarks.engines.agreement import Agreement

_OTHERS = ("onnxruntime", "OpenVINO", "ncnn")
_GOAL_SIZES = ("384x512", "1024x1024")


@dataclass(frozen=True, slots=True)
class Finding:
    """One engine's speed and scores.

    Attributes:
        name: name of the engine.
        milliseconds: "HEIGHTxWIDTH" -> median milliseconds of a call.
        agreement: how close its scores are to the reference's.
    """

    name: str
    milliseconds: Mapping[str, float]
    agreement: Agreement

    @property
    def spread(self) -> float:
        """Time per pixel at the size where it is greatest, over that at the size where it is least."""
        paces = [taken / math.prod(sides(size)) for size, taken in self.milliseconds.items()]
        return max(paces) / min(paces)


def sides(size: str) -> tuple[int, int]:
    """``384x512`` -> (384, 512)."""
    height, width = size.split("x")
    return int(height), int(width)


def table(findings: Sequence[Finding]) -> str:
    """Render Markdown; the first engine is the reference for the ratios in brackets."""
    reference = findings[0].milliseconds
    head = [
        "engine",
        *(f"{size}, ms" for size in reference),
        "slowest / fastest pixel",
        "max difference",
        "other winners",
    ]
    rows = [head, ["---", *("---:" for _ in head[1:])]]
    rows += [
        [
            finding.name,
            *(f"{taken:.1f} ({taken / reference[size]:.2f})" for size, taken in finding.milliseconds.items()),
            f"{finding.spread:.2f}",
            f"{finding.agreement.difference:.2g}",
            f"{finding.agreement.differing:.3%}",
        ]
        for finding in findings
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def goals(findings: Sequence[Finding]) -> str:
    """Render Markdown: ours over the fastest other engine in float32 and OpenVINO in int8, at the sizes with goals."""
    times = {finding.name: finding.milliseconds for finding in findings}
    float32 = [name for name in times if name.endswith("float32") and name.split()[0] in _OTHERS]
    kinds = (("float32", float32, 1.0), ("int8", ["OpenVINO int8"], 1.05))
    return bounds.table(
        [
            _goal(f"{kind}, {size}", f"ours {kind}", [other for other in others if other in times], size, times, most)
            for kind, others, most in kinds
            for size in _GOAL_SIZES
            if size in findings[0].milliseconds
        ]
    )


def _goal(
    what: str, ours: str, others: Sequence[str], size: str, times: Mapping[str, Mapping[str, float]], most: float
) -> bounds.Finding:
    if ours not in times or not others:
        return bounds.Finding(what, "not available", f"at most {most:.2f}")
    best = min(others, key=lambda name: times[name][size])
    return bounds.at_most(f"{what}: ours / {best}", times[ours][size] / times[best][size], most, "{:.2f}")
