"""For those who run the service: probes and metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import problems
from app.api.auth.dependencies import require
from app.api.auth.keys import KeyScope
from app.api.dependencies import MetricsDependency, ServiceDependency
from app.api.openapi import problem_responses
from app.api.schemas import HealthDocument
from app.api.state import state_of
from app.pipeline.service import Service
from app.problems import DEVICE_FAILED, DRAINING, ProblemError

PROBES = (
    *("/livez", "/readyz", "/health", "/metrics"),
    *("/v2/health/live", "/v2/health/ready", "/v2/models/{model}/ready", "/v2/models/segmentation/ready"),
)
"""Asked every few seconds, and no news: in the log only if it is to hold everything, and not traced."""

router = APIRouter(tags=["operations"])

_DEAD = problem_responses(problems.DEVICE_FAILED)
_NOT_READY = problem_responses(problems.NOT_READY, problems.DRAINING, problems.DEVICE_FAILED)


@router.get("/livez", summary="Is the process alive?", responses=_DEAD)
async def livez(request: Request) -> HealthDocument:
    """Answers as long as the event loop turns, whatever is in work; not if the device has failed for good.

    Then the process is to be started again.
    """
    service = state_of(request.app).service
    if service is not None:
        _require_device(service)
    return HealthDocument(status="live")


@router.get("/readyz", summary="Does it take requests?", responses=_NOT_READY)
@router.get("/health", summary="Alias of /readyz", responses=_NOT_READY)
async def readyz(service: ServiceDependency) -> HealthDocument:
    """Ready: the weights are loaded, checked and warmed up, the device works, and the service is not shutting down."""
    _require_device(service)
    if service.draining:
        raise ProblemError(DRAINING, "the service is shutting down")
    return HealthDocument(status="ready")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus text format.", "content": {"text/plain": {}}},
        **problem_responses(problems.UNAUTHORIZED, problems.FORBIDDEN),
    },
    dependencies=[require(KeyScope.METRICS)],
)
async def metrics(metrics: MetricsDependency) -> Response:
    """Counters, gauges and histograms of requests, stages, queues and memory; of all worker processes."""
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _require_device(service: Service) -> None:
    if service.failure is not None:
        raise ProblemError(DEVICE_FAILED, service.failure)
