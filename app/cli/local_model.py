"""Descriptions of weights that this process loads, in the same documents as the service's."""

from typing import Any

from app.api.descriptions import classes_response, model_response
from app.cli.errors import CannotStartError
from app.cli.local_backend import require_segmenter
from app.settings import Settings
from model.checkpoint import Checkpoint
from model.errors import SegmentationError


def local_classes(settings: Settings) -> dict[str, Any]:
    """The document of ``GET /classes``.

    Raises:
        CannotStartError: the weights cannot be used.
    """
    try:
        return classes_response(Checkpoint.load(settings.weights).labels).model_dump(mode="json")
    except SegmentationError as error:
        raise CannotStartError(str(error)) from error


def local_model(settings: Settings) -> dict[str, Any]:
    """The document of ``GET /model``, and the classes. Loading the weights also checks their golden mask.

    Raises:
        CannotStartError: the weights or the device cannot be used.
    """
    segmenter = require_segmenter(settings)
    classes = classes_response(segmenter.checkpoint.labels)
    return {**model_response(segmenter, settings).model_dump(mode="json"), **classes.model_dump(mode="json")}
