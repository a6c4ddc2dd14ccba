"""Images and masks in Pascal VOC's folder layout."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.labels import IGNORE_INDEX, VOC, Labels
from training.errors import DatasetError

_MASK_FOLDERS = ("SegmentationClassAug", "SegmentationClass")


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled photograph.

    Attributes:
        name: without folder and suffix.
        image: (height, width, 3), uint8 RGB.
        mask: (height, width), uint8 class indices, 255 where nothing is known.
    """

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class VocDataset:
    """The samples that a list file of a data set names, read when asked for.

    Args:
        root: folder that holds ``JPEGImages``, ``SegmentationClassAug`` or ``SegmentationClass``, and
            ``ImageSets/Segmentation``.
        split: name of a list file there, without ``.txt``.
        labels: the classes; masks are palette or grey pictures of their indices, or pictures in their colours.

    Raises:
        DatasetError: a folder or the list is missing, or the list is empty.
    """

    def __init__(self, root: Path, split: str, labels: Labels = VOC) -> None:
        self.root = root
        self.split = split
        self.labels = labels
        self._masks = _mask_folder(root)
        list_file = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        try:
            self.names = list_file.read_text().split()
        except OSError as error:
            raise DatasetError(f"list {list_file} cannot be read: {error.strerror}") from error
        if not self.names:
            raise DatasetError(f"list {list_file} names no image")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Sample number ``index``.

        Raises:
            DatasetError: a file is missing or undecodable, sizes differ, or the mask holds foreign values.
        """
        name = self.names[index]
        image_file = self.root / "JPEGImages" / f"{name}.jpg"
        mask_file = self._masks / f"{name}.png"
        image = np.asarray(_open(image_file).convert("RGB"))
        mask = self._indices(_open(mask_file), mask_file)
        if image.shape[:2] != mask.shape:
            raise DatasetError(f"{mask_file} has size {mask.shape}, its image {image.shape[:2]}")
        return Sample(name, image, mask)

    def _indices(self, picture: Image.Image, file: Path) -> NDArray[np.uint8]:
        if picture.mode in ("P", "L"):
            mask = np.asarray(picture)
            foreign = mask[(mask >= len(self.labels)) & (mask != IGNORE_INDEX)]
            if foreign.size:
                raise DatasetError(f"{file} holds index {foreign[0]}, but there are {len(self.labels)} classes")
            return mask
        try:
            return self.labels.indices(np.asarray(picture.convert("RGB")))
        except ValueError as error:
            raise DatasetError(f"{file}: {error}") from error


def _mask_folder(root: Path) -> Path:
    for name in _MASK_FOLDERS:
        if (root / name).is_dir():
            return root / name
    raise DatasetError(f"{root} has neither folder {' nor '.join(_MASK_FOLDERS)}")


def _open(file: Path) -> Image.Image:
    try:
        picture = Image.open(file)
        picture.load()
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{file} cannot be read: {error}") from error
    return picture
