"""Findings that short forms of the campaigns check."""

from collections.abc import Sequence

from benchmarks.findings import Finding


def missed(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that miss their requirement, except bounds in seconds: on a busy machine only long forms check those."""
    return [finding for finding in findings if not finding.holds and not finding.must.endswith(" s")]
