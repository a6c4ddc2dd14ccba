"""``/admin``: administration, with a key of the scope ``admin``."""

from fastapi import APIRouter, Request

from app import problems
from app.api.auth.dependencies import require
from app.api.auth.keys import KeyScope, KeysError
from app.api.openapi import problem_responses
from app.api.reload import reload
from app.api.schemas import ReloadResponse
from app.problems import RELOAD_FAILED, ProblemError
from model.errors import SegmentationError

router = APIRouter(tags=["operations"], dependencies=[require(KeyScope.ADMIN)])


@router.post(
    "/admin/reload",
    summary="Reload weights and keys without downtime",
    responses=problem_responses(
        problems.UNAUTHORIZED,
        problems.FORBIDDEN,
        problems.RELOAD_FAILED,
        problems.NOT_READY,
        problems.DRAINING,
    ),
)
async def reload_weights_and_keys(request: Request) -> ReloadResponse:
    """Reload the keys, then load, check and warm up the weights, and use both; SIGHUP does the same.

    Accepted requests finish with the old weights. If weights or keys cannot be used, the service keeps the old ones.
    """
    try:
        reloaded = await reload(request.app)
    except (SegmentationError, KeysError) as error:
        raise ProblemError(RELOAD_FAILED, str(error)) from error
    return ReloadResponse(sha256=reloaded.sha256, keys=reloaded.keys)
