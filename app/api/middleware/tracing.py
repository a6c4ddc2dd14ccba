"""OpenTelemetry traces: FastAPI makes each request's span; this module adds the stages' spans and exports all of them.

Spans are sent, by OTLP over HTTP, if the extra ``otel`` is installed and OpenTelemetry's standard environment
variables enable it. Otherwise nothing is imported for them, and nothing is recorded.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app import __version__
from app.api.health import PROBES
from app.pipeline.request import EncodedResponse

TELEMETRY = TelemetryConfig(
    auto_configure=False,  # at shutdown, it would wait half a minute or more for a collector that does not respond
    metrics=False,  # exported to Prometheus instead
    logs=False,
    operation_spans=False,
    exclude=lambda scope: scope["path"] in PROBES,
)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_S = 3.0

_logger = logging.getLogger("app")
_tracer = trace.get_tracer("app", __version__)
_propagator = TraceContextTextMapPropagator()


@contextmanager
def sending_spans() -> Iterator[None]:
    """Send spans inside the context if the environment enables it; on exit, flush them for a few seconds at most.

    A provider that is already set up (``opentelemetry-instrument``) is left alone.
    """
    if not (_is_asked_for() and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)):
        yield
        return
    try:
        from app.observability.trace_export import make_provider  # noqa: PLC0415 (the extra may be missing)
    except ImportError as error:
        _logger.warning("no traces are sent, the extra otel is not installed: %s", error)
        yield
        return
    provider = make_provider()
    trace.set_tracer_provider(provider)
    yield
    flush = threading.Thread(target=provider.shutdown, daemon=True)
    flush.start()
    flush.join(_FLUSH_S)


def trace_id(headers: Mapping[str, str]) -> str | None:
    """ID of the current request's trace, recorded here or by the caller (``traceparent``); None if there is none."""
    own = trace.get_current_span().get_span_context()
    context = own if own.is_valid else trace.get_current_span(_propagator.extract(headers)).get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def trace_response(response: EncodedResponse, request_id: str) -> None:
    """Add the outcome to the request's span, and one span per stage, back to back and ending now."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute("http.response.header.x-request-id", [request_id])
    span.set_attribute("fcn.pixels", response.pixels)
    span.set_attribute("fcn.checkpoint.sha256", response.digest)
    started_ns = time.time_ns() - round(sum(response.stages.values()) * 1e9)
    for stage, seconds in response.stages.items():
        ended_ns = started_ns + round(seconds * 1e9)
        _tracer.start_span(stage, start_time=started_ns).end(ended_ns)
        started_ns = ended_ns


def _is_asked_for() -> bool:
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter == "otlp" or (not exporter and any(os.environ.get(name) for name in _ENDPOINTS))
