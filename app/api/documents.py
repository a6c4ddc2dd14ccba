"""What is told of what was loaded."""

from app.api.schemas import ClassDocument, ClassesDocument, LimitsDocument, ModelDocument
from app.images.decode import FORMATS
from app.settings import Settings
from model.labels import IGNORE_INDEX, Labels
from model.segmenter import Segmenter


def classes_document(labels: Labels) -> ClassesDocument:
    """Classes in the order of their indices, void last."""
    found = [
        ClassDocument(index=index, name=name, color=color)
        for index, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
    ]
    return ClassesDocument(classes=[*found, ClassDocument(index=IGNORE_INDEX, name="void", color=labels.void_color)])


def model_document(segmenter: Segmenter, settings: Settings) -> ModelDocument:
    """The checkpoint, where it comes from and how good it is, and what inputs may be."""
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
        precision_scores=summary.precision_scores,
        licenses=summary.licenses,
        device=str(segmenter.device),
        precision=segmenter.precision,
        precision_reason=segmenter.precision_reason,
        band_pixels=segmenter.limits.band_pixels,
        limits=LimitsDocument(
            max_upload_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_whole_pixels=settings.max_whole_pixels,
            formats=list(FORMATS),
        ),
    )
