"""What there is to know of weights that this process loads; the documents are the service's."""

from typing import Any

from app.cli.errors import CannotStartError
from app.cli.local_engine import load_segmenter
from app.decoding.images import FORMATS
from app.schemas import ClassDocument, ClassesDocument, LimitsDocument, ModelDocument
from app.settings import Settings
from model.checkpoint import Checkpoint
from model.errors import SegmentationError
from model.labels import IGNORE_INDEX, Labels


def local_classes(settings: Settings) -> dict[str, Any]:
    """The document of ``GET /classes``.

    Raises:
        CannotStartError: the weights cannot be used.
    """
    try:
        return _classes(Checkpoint.load(settings.weights).labels)
    except SegmentationError as error:
        raise CannotStartError(str(error)) from error


def local_model(settings: Settings) -> dict[str, Any]:
    """The document of ``GET /model``, and the classes. The weights have given the mask that they promise.

    Raises:
        CannotStartError: weights or device cannot be used.
    """
    segmenter = load_segmenter(settings)
    checkpoint, summary = segmenter.checkpoint, segmenter.checkpoint.summary
    document = ModelDocument(
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
    return {**document.model_dump(mode="json"), **_classes(checkpoint.labels)}


def _classes(labels: Labels) -> dict[str, Any]:
    named = zip((*labels.names, "void"), (*labels.colors, labels.void_color), strict=True)
    found = [
        ClassDocument(index=index if index < len(labels) else IGNORE_INDEX, name=name, color=color)
        for index, (name, color) in enumerate(named)
    ]
    return ClassesDocument(classes=found).model_dump(mode="json")
