"""What short forms of the campaigns look at."""

from collections.abc import Sequence

from benchmarks.findings import Finding


def missed(findings: Sequence[Finding]) -> list[Finding]:
    """What is not as it must be, but for seconds: where other work is done they are for the long forms to judge."""
    return [finding for finding in findings if not finding.holds and not finding.must.endswith(" s")]
