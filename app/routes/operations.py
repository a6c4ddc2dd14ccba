"""For those who run the service: probes and metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import problems
from app.dependencies import MetricsDependency, ServiceDependency
from app.openapi import problem_responses
from app.problems import DRAINING, ProblemError
from app.schemas import HealthDocument

router = APIRouter(tags=["operations"])

_NOT_READY = problem_responses(problems.NOT_READY, problems.DRAINING)


@router.get("/livez", summary="Is the process alive?")
async def livez() -> HealthDocument:
    """Answers as long as the event loop turns, whatever is in work."""
    return HealthDocument(status="live")


@router.get("/readyz", summary="Does it take requests?", responses=_NOT_READY)
@router.get("/health", summary="Alias of /readyz", responses=_NOT_READY)
async def readyz(service: ServiceDependency) -> HealthDocument:
    """Ready: the weights are loaded, checked and warmed up, and the service is not shutting down."""
    if service.draining:
        raise ProblemError(DRAINING, "the service is shutting down")
    return HealthDocument(status="ready")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text format.", "content": {"text/plain": {}}}},
)
async def metrics(metrics: MetricsDependency) -> Response:
    """Counters and histograms of requests, stages and pixels."""
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
