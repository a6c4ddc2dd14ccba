"""What the service counts, in Prometheus' terms."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The measures of one application; a registry of its own keeps applications in one process apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fcn_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.request_seconds = Histogram(
            "fcn_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["route"],
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "fcn_stage_seconds",
            "Time of each stage of a segmentation.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self.pixels = Counter("fcn_pixels", "Pixels segmented.", registry=self.registry)
        self.abandoned = Counter(
            "fcn_abandoned", "Requests whose client went before the answer.", registry=self.registry
        )
        self.broken_off = Counter("fcn_broken_off", "Answers that ended before their end.", registry=self.registry)
        self.unfinished = Gauge(
            "fcn_unfinished_requests", "Requests accepted and not finished.", registry=self.registry
        )

    def observe_stages(self, stages: Mapping[str, float]) -> None:
        """Count the seconds of a request's stages."""
        for stage, seconds in stages.items():
            self.stage_seconds.labels(stage).observe(seconds)

    def exposition(self) -> bytes:
        """All measures in Prometheus' text format."""
        return generate_latest(self.registry)
