"""Masks as Label Studio's regions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from label_studio_sdk.converter.brush import mask2rle
from label_studio_sdk.label_interface import LabelInterface
from numpy.typing import NDArray

from app.client import Segmentation
from examples.polygons import polygons

Region: TypeAlias = dict[str, Any]

_KINDS = ("brushlabels", "polygonlabels")
_STRAY_PIXELS = 0.5
"""Greatest distance in pixels of polygons from outlines: people correct them, which needs few points."""


@dataclass(frozen=True, slots=True)
class Control:
    """A tag of the labelling interface with which masks are drawn.

    Attributes:
        kind: `brushlabels` or `polygonlabels`.
        name: name of the tag.
        image_name: name of the tag that shows the image.
        image_key: key of the image's address in a task's data.
        labels: class name in lower case -> label.
    """

    kind: str
    name: str
    image_name: str
    image_key: str
    labels: Mapping[str, str]

    def regions(self, segmentation: Segmentation) -> Iterator[Region]:
        """Yield the regions of the found classes for which the tag has a label."""
        height, width = segmentation.mask.shape
        for found in segmentation.classes:
            label = self.labels.get(found.name.lower())
            if label is None:
                continue
            for number, value in enumerate(self._values(segmentation.mask == found.index)):
                yield {
                    "id": f"{self.name}-{self.image_name}-{found.index}-{number}",
                    "type": self.kind,
                    "from_name": self.name,
                    "to_name": self.image_name,
                    "original_width": width,
                    "original_height": height,
                    "image_rotation": 0,
                    "value": {**value, self.kind: [label]},
                }

    def _values(self, mask: NDArray[np.bool_]) -> Iterator[dict[str, object]]:
        if self.kind == "brushlabels":
            yield {"format": "rle", "rle": mask2rle(mask.astype(np.uint8) * 255)}
            return
        height, width = mask.shape
        for polygon in polygons(mask, _STRAY_PIXELS):
            percent = polygon * (100 / width, 100 / height)
            yield {"points": percent.round(4).tolist(), "closed": True}


def controls(config: str) -> list[Control]:
    """Tags of a labelling configuration that can hold masks of one image.

    A class matches a label by the label's name or by its attribute ``predicted_values``.
    """
    return [
        Control(kind, tag.name, image.name, image.value_name, _labels(tag.labels_attrs))
        for tag in LabelInterface(config).controls
        if (kind := tag.tag.lower()) in _KINDS
        for image in tag.objects
        if image.tag.lower() == "image" and not image.attr.get("valueList")
    ]


def _labels(tags: Mapping[str, Any]) -> dict[str, str]:
    labels = {
        name.strip().lower(): label
        for label, tag in tags.items()
        for name in tag.attr.get("predicted_values", "").split(",")
    }
    return labels | {label.lower(): label for label in tags}
