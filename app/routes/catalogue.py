"""What is served: ``/classes``, ``/model`` and the descriptions of problems."""

from typing import Annotated

from fastapi import APIRouter, Path

from app import problems
from app.access.keys import KeyScope
from app.access.requirements import require
from app.decoding.images import FORMATS
from app.dependencies import ServiceDependency, SettingsDependency
from app.openapi import problem_responses
from app.problems import PROBLEMS, ProblemError
from app.schemas import (
    ClassDocument,
    ClassesDocument,
    LimitsDocument,
    ModelDocument,
    ProblemKindDocument,
)
from model.labels import IGNORE_INDEX

router = APIRouter(tags=["about"])

_PROBLEMS = problem_responses(problems.UNAUTHORIZED, problems.FORBIDDEN, problems.NOT_READY)
_KEY = [require(KeyScope.SEGMENT)]


@router.get("/classes", summary="Classes and their colours", responses=_PROBLEMS, dependencies=_KEY)
async def classes(service: ServiceDependency) -> ClassesDocument:
    """Index, name and colour of each class, and of void (255), which label pictures have and predictions have not."""
    labels = service.segmenter.checkpoint.labels
    found = [
        ClassDocument(index=index, name=name, color=color)
        for index, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
    ]
    return ClassesDocument(classes=[*found, ClassDocument(index=IGNORE_INDEX, name="void", color=labels.void_color)])


@router.get("/model", summary="The network in use", responses=_PROBLEMS, dependencies=_KEY)
async def model(service: ServiceDependency, settings: SettingsDependency) -> ModelDocument:
    """The loaded checkpoint, where it comes from and how good it is, and what inputs may be."""
    segmenter = service.segmenter
    checkpoint, summary = segmenter.checkpoint, segmenter.checkpoint.summary
    return ModelDocument(
        name=summary.name,
        architecture=checkpoint.config.architecture,
        backbone_blocks=checkpoint.config.blocks,
        sha256=checkpoint.digest,
        num_classes=checkpoint.config.num_classes,
        trained_on=summary.trained_on,
        training=summary.training,
        scores=summary.scores,
        licenses=summary.licenses,
        device=str(segmenter.device),
        precision=settings.precision,
        band_pixels=segmenter.limits.band_pixels,
        limits=LimitsDocument(
            max_upload_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_whole_pixels=settings.max_whole_pixels,
            formats=list(FORMATS),
        ),
    )


@router.get(
    "/problems/{slug}",
    summary="A kind of problem",
    responses=problem_responses(problems.NOT_FOUND, problems.INVALID_REQUEST),
)
async def problem(
    slug: Annotated[str, Path(description="The last part of a problem's `type`.", examples=["not-an-image"])],
) -> ProblemKindDocument:
    """What the `type` of a problem document means."""
    kind = PROBLEMS.get(slug)
    if kind is None:
        raise ProblemError(problems.NOT_FOUND, f"there is no problem {slug[:100]!r}; there are {', '.join(PROBLEMS)}")
    return ProblemKindDocument(type=kind.type, title=kind.title, status=kind.status, description=kind.description)
