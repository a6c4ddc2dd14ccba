"""What `/metrics` says, for tests."""

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


class Exposition:
    """Measures in Prometheus' text format, read."""

    def __init__(self, text: bytes | str) -> None:
        families = text_string_to_metric_families(text if isinstance(text, str) else text.decode())
        self.samples: list[Sample] = [sample for family in families for sample in family.samples]

    def series(self, name: str, **labels: str) -> list[Sample]:
        """Those of a name that have these labels, whatever others they have."""
        return [sample for sample in self.samples if sample.name == name and sample.labels.items() >= labels.items()]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series of a name that have these labels; there must be one."""
        series = self.series(name, **labels)
        assert series, f"{name} {labels}"
        return sum(sample.value for sample in series)
