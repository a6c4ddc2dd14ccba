"""The service's Prometheus metrics."""

import asyncio
import os
import time
from collections.abc import Mapping

import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app import __version__
from app.observability.resident_memory import resident_bytes
from app.problems import PROBLEMS

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_MEGAPIXEL_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)

_QUEUES = ("small", "large")
_SAMPLING_PERIOD_S = 5.0


class Metrics:
    """The metrics of one application. Each application in a process has its own registry.

    Workers that share a port also share their metrics through the folder ``PROMETHEUS_MULTIPROC_DIR``: each worker's
    exposition covers all workers, including those that have ended. Gauges are the sum over the running workers.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._workers_folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._device: torch.device | None = None
        self._loaded: tuple[str, ...] | None = None

        self.requests = self._counter("fcn_requests", "Requests answered.", "method", "route", "status")
        self.request_seconds = self._histogram(
            "fcn_request_seconds", "Time from a request's header to the end of its response.", _REQUEST_BUCKETS, "route"
        )
        self.refusals = self._counter("fcn_refusals", "Requests that got a problem, by its slug.", "reason")
        self.client_disconnects = self._counter(
            "fcn_client_disconnects", "Requests whose client disconnected before the response."
        )
        self.aborted_responses = self._counter("fcn_aborted_responses", "Responses aborted after the first byte.")
        self.send_timeouts = self._counter("fcn_send_timeouts", "Responses aborted because the client stopped reading.")

        self.pixels = self._counter("fcn_pixels", "Pixels segmented.")
        self.megapixels = self._histogram(
            "fcn_megapixels", "Sizes of the segmented images in millions of pixels.", _MEGAPIXEL_BUCKETS
        )
        self.stage_seconds = self._histogram(
            "fcn_stage_seconds", "Time of each stage of a segmentation.", _STAGE_BUCKETS, "stage"
        )
        self.batch_images = self._histogram("fcn_batch_images", "Small images predicted together.", _BATCH_BUCKETS)

        self.connections = self._gauge("fcn_connections", "Open connections.")
        self.unfinished = self._gauge("fcn_unfinished_requests", "Accepted requests that are not finished.")
        self.waiting = self._gauge("fcn_waiting_requests", "Requests running or waiting.", "queue")
        self.waiting_seconds = self._gauge(
            "fcn_waiting_seconds", "Estimated seconds of work of those requests.", "queue"
        )
        self.memory_reserved = self._gauge("fcn_memory_reserved_bytes", "Memory reserved for admitted images.", "queue")
        self.memory_limit = self._gauge("fcn_memory_limit_bytes", "Maximum memory for all images together.", "queue")
        self.body_bytes = self._gauge("fcn_body_bytes", "Memory of the bodies held.")
        self.resident = self._gauge("fcn_resident_bytes", "Resident memory of the workers and their decoders.")
        self.memory_bound = self._gauge("fcn_memory_bound_bytes", "Resident memory that the settings allow them.")
        self.device_memory = self._gauge(
            "fcn_device_memory_bytes", "GPU memory allocated and reserved by PyTorch.", "kind"
        )

        self.info = self._gauge(
            "fcn_info", "Workers that use these weights.", "version", "sha256", "precision", "device"
        )
        self.last_start = Gauge(
            "fcn_last_start_timestamp_seconds",
            "Unix time at which the youngest worker was started.",
            registry=self.registry,
            multiprocess_mode="max",
        )
        self.reloads = self._counter("fcn_reloads", "Reloads of the weights.", "result")
        self.decoder_failures = self._counter("fcn_decoder_failures", "Decoders that had to be replaced.", "kind")
        self.out_of_memory = self._counter(
            "fcn_out_of_memory", "Predictions for which the device was out of memory; batches are halved."
        )
        self.device_failures = self._counter("fcn_device_failures", "Failures of the device other than memory.")

        self._begin()

    def loaded(self, *, sha256: str, precision: str, device: torch.device) -> None:
        """Record the weights that are used from now on."""
        if self._loaded is not None:
            # In a shared folder, series cannot be removed.
            self.info.labels(*self._loaded).set(0)
        self._device = device
        self._loaded = (__version__, sha256, precision, str(device))
        self.info.labels(*self._loaded).set(1)

    def observe_stages(self, stages: Mapping[str, float]) -> None:
        """Count the seconds of a request's stages."""
        for stage, seconds in stages.items():
            self.stage_seconds.labels(stage).observe(seconds)

    def decoder_failed(self, kind: str) -> None:
        """Count a decoder that has ``crashed`` or ``timed_out``."""
        self.decoder_failures.labels(kind).inc()

    def sample(self) -> None:
        """Measure memory, which no event updates."""
        self.resident.set(resident_bytes())
        if self._device is not None and self._device.type == "cuda":
            self.device_memory.labels("allocated").set(torch.cuda.memory_allocated(self._device))
            self.device_memory.labels("reserved").set(torch.cuda.memory_reserved(self._device))

    async def sample_regularly(self) -> None:
        """Sample as long as the worker runs, for the other workers' expositions."""
        while True:
            self.sample()
            await asyncio.sleep(_SAMPLING_PERIOD_S)

    def exposition(self) -> bytes:
        """The metrics of all workers in Prometheus' text format."""
        self.sample()
        if self._workers_folder is None:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, self._workers_folder)  # type: ignore[no-untyped-call]
        try:
            return generate_latest(together)
        except FileNotFoundError:  # the files of a worker that could not start have just been removed
            return generate_latest(together)

    def _begin(self) -> None:
        """Start series with known labels at zero, so that their first increase is visible as one."""
        for reason in PROBLEMS:
            self.refusals.labels(reason)
        for queue in _QUEUES:
            self.waiting.labels(queue)
            self.waiting_seconds.labels(queue)
        for result in ("success", "failure"):
            self.reloads.labels(result)
        for kind in ("crashed", "timed_out"):
            self.decoder_failures.labels(kind)
        self.last_start.set(time.time())
        if self._workers_folder is None:
            # Threads, open files etc. belong to one process: with several workers, to whichever answers.
            ProcessCollector(registry=self.registry)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(name, description, labels, registry=self.registry)

    def _gauge(self, name: str, description: str, *labels: str) -> Gauge:
        return Gauge(name, description, labels, registry=self.registry, multiprocess_mode="livesum")

    def _histogram(self, name: str, description: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, description, labels, buckets=buckets, registry=self.registry)
