"""Liveness and readiness."""

from app.pipeline.service import Service
from app.problems import DEVICE_FAILED, DRAINING, ProblemError

PROBES = (
    *("/livez", "/readyz", "/health", "/metrics"),
    *("/v2/health/live", "/v2/health/ready", "/v2/models/{model}/ready", "/v2/models/segmentation/ready"),
)
"""Routes that are requested every few seconds: logged only at the level ``debug``, and not traced."""


def require_live(service: Service | None) -> None:
    """Raise ``DEVICE_FAILED`` if the device has failed for good. None, while weights are loading, counts as live."""
    if service is not None and service.failure is not None:
        raise ProblemError(DEVICE_FAILED, service.failure)


def require_ready(service: Service) -> None:
    """Raise ``DEVICE_FAILED`` or ``DRAINING`` unless the service accepts requests."""
    require_live(service)
    if service.draining:
        raise ProblemError(DRAINING, "the service is shutting down")
