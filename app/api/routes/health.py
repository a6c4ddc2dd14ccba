"""Probes: ``/livez`` and ``/readyz``."""

from fastapi import APIRouter, Request

from app import problems
from app.api.dependencies import ServiceDependency
from app.api.health import require_live, require_ready
from app.api.openapi import problem_responses
from app.api.schemas import HealthResponse
from app.api.state import state_of

router = APIRouter(tags=["operations"])

_DEAD = problem_responses(problems.DEVICE_FAILED)
_NOT_READY = problem_responses(problems.NOT_READY, problems.DRAINING, problems.DEVICE_FAILED)


@router.get("/livez", summary="Is the process alive?", responses=_DEAD)
async def livez(request: Request) -> HealthResponse:
    """Live: the event loop is running, however busy the service is, and the device has not failed for good.

    Otherwise, restart the process.
    """
    require_live(state_of(request.app).service)
    return HealthResponse(status="live")


@router.get("/readyz", summary="Is the service ready?", responses=_NOT_READY)
@router.get("/health", summary="Alias of /readyz", responses=_NOT_READY)
async def readyz(service: ServiceDependency) -> HealthResponse:
    """Ready: the weights are loaded, checked and warmed up, the device works, and the service is not shutting down."""
    require_ready(service)
    return HealthResponse(status="ready")
