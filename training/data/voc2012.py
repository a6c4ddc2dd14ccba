"""Pascal VOC 2012's archive of training and validation data, and its files for segmentation.

Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
"""

from pathlib import Path

from training.data.archive import Archive, unpack
from training.data.fetching import Part

_BASE = "VOCdevkit/VOC2012"
_MEMBERS = tuple(f"{_BASE}/{folder}/" for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))


def _make(archive: Path, workplace: Path, _root: Path) -> Path:
    unpack(archive, workplace, _MEMBERS)
    return workplace / _BASE


VOC2012 = Part(
    title="VOC 2012",
    archive=Archive(
        name="VOCtrainval_11-May-2012.tar",
        url="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        md5="6cd6e144f989b92b3379bac3b3de84fd",
    ),
    results=(
        "JPEGImages",
        "SegmentationClass",
        "ImageSets/Segmentation/train.txt",
        "ImageSets/Segmentation/val.txt",
        "ImageSets/Segmentation/trainval.txt",
    ),
    make=_make,
)
"""VOC 2012: photographs (including those without a mask), 2,913 masks, and their lists."""
