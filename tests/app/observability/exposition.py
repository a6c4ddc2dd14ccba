"""Parsed `/metrics`, for tests."""

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


class Exposition:
    """Metrics, parsed from Prometheus' text format."""

    def __init__(self, text: bytes | str) -> None:
        families = text_string_to_metric_families(text if isinstance(text, str) else text.decode())
        self.samples: list[Sample] = [sample for family in families for sample in family.samples]

    def series(self, name: str, **labels: str) -> list[Sample]:
        """Series of a name that have at least these labels."""
        return [sample for sample in self.samples if sample.name == name and sample.labels.items() >= labels.items()]

    def value(self, name: str, **labels: str) -> float:
        """Sum of the series of a name that have at least these labels; there must be one."""
        series = self.series(name, **labels)
        assert series, f"{name} {labels}"
        return sum(sample.value for sample in series)
