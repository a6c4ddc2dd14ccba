"""Descriptions: ``/classes``, ``/model`` and ``/problems``."""

from typing import Annotated

from fastapi import APIRouter, Path

from app import problems
from app.api.auth.dependencies import require
from app.api.auth.keys import KeyScope
from app.api.dependencies import ServiceDependency, SettingsDependency
from app.api.descriptions import classes_response, model_response
from app.api.openapi import problem_responses
from app.api.schemas import ClassesResponse, ModelResponse, ProblemKindResponse
from app.problems import PROBLEMS, ProblemError

router = APIRouter(tags=["about"])

_PROBLEMS = problem_responses(problems.UNAUTHORIZED, problems.FORBIDDEN, problems.NOT_READY)
_KEY = [require(KeyScope.SEGMENT)]


@router.get("/classes", summary="Classes and their colours", responses=_PROBLEMS, dependencies=_KEY)
async def classes(service: ServiceDependency) -> ClassesResponse:
    """Index, name and colour of each class, and of void (255), which occurs in labels but not in predictions."""
    return classes_response(service.segmenter.checkpoint.labels)


@router.get("/model", summary="The network in use", responses=_PROBLEMS, dependencies=_KEY)
async def model(service: ServiceDependency, settings: SettingsDependency) -> ModelResponse:
    """The loaded checkpoint, its origin and scores, and the limits on inputs."""
    return model_response(service.segmenter, settings)


@router.get(
    "/problems/{slug}",
    summary="A kind of problem",
    responses=problem_responses(problems.NOT_FOUND, problems.INVALID_REQUEST),
)
async def problem(
    slug: Annotated[str, Path(description="The last part of a problem's `type`.", examples=["not-an-image"])],
) -> ProblemKindResponse:
    """The meaning of a problem document's `type`."""
    kind = PROBLEMS.get(slug)
    if kind is None:
        raise ProblemError(problems.NOT_FOUND, f"there is no problem {slug[:100]!r}; there are {', '.join(PROBLEMS)}")
    return ProblemKindResponse(type=kind.type, title=kind.title, status=kind.status, description=kind.description)
