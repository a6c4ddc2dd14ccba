"""Exports spans. Needs the extra ``otel``, so import this module only to send traces."""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from app import __version__

_SERVICE = {"service.name": "fcn-segmentation", "service.version": __version__}


def make_provider() -> TracerProvider:
    """Make a provider that sends spans in batches from its own thread; OpenTelemetry's environment variables apply."""
    resource = Resource.create(_SERVICE).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
