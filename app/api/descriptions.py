"""Responses that describe the loaded checkpoint."""

from app.api.schemas import ClassesResponse, ClassInfo, Limits, ModelResponse
from app.images.decode import FORMATS
from app.settings import Settings
from model.labels import IGNORE_INDEX, Labels
from model.segmenter import Segmenter


def classes_response(labels: Labels) -> ClassesResponse:
    """The classes by index, void last."""
    found = [
        ClassInfo(index=index, name=name, color=color)
        for index, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
    ]
    return ClassesResponse(classes=[*found, ClassInfo(index=IGNORE_INDEX, name="void", color=labels.void_color)])


def model_response(segmenter: Segmenter, settings: Settings) -> ModelResponse:
    """The checkpoint, its origin and scores, and the limits on inputs."""
    checkpoint, summary = segmenter.checkpoint, segmenter.checkpoint.summary
    return ModelResponse(
        name=summary.name,
        architecture=checkpoint.config.architecture,
        backbone_blocks=checkpoint.config.blocks,
        sha256=checkpoint.digest,
        num_classes=checkpoint.config.num_classes,
        trained_on=summary.trained_on,
        training=summary.training,
        scores=summary.scores,
        precision_scores=summary.precision_scores,
        licenses=summary.licenses,
        device=str(segmenter.device),
        precision=segmenter.precision,
        precision_reason=segmenter.precision_reason,
        band_pixels=segmenter.limits.band_pixels,
        limits=Limits(
            max_upload_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_whole_pixels=settings.max_whole_pixels,
            formats=list(FORMATS),
        ),
    )
