"""For those who run the service, with a key of the scope ``admin``."""

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
    summary="New weights and keys without a gap",
    responses=problem_responses(
        problems.UNAUTHORIZED,
        problems.FORBIDDEN,
        problems.RELOAD_FAILED,
        problems.NOT_READY,
        problems.DRAINING,
    ),
)
async def reload_weights_and_keys(request: Request) -> ReloadResponse:
    """Reads the keys again, then loads, checks and warms up the weights, and lets them serve; SIGHUP does the same.

    Requests in work finish on the old weights. What cannot be used is refused, and what was there serves on.
    """
    try:
        reloaded = await reload(request.app)
    except (SegmentationError, KeysError) as error:
        raise ProblemError(RELOAD_FAILED, str(error)) from error
    return ReloadResponse(sha256=reloaded.sha256, keys=reloaded.keys)
