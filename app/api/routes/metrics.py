"""``GET /metrics``."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app import problems
from app.api.auth.dependencies import require
from app.api.auth.keys import KeyScope
from app.api.dependencies import MetricsDependency
from app.api.openapi import problem_responses

router = APIRouter(tags=["operations"])


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
    """Counters, gauges and histograms of requests, stages, queues and memory, over all worker processes."""
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
