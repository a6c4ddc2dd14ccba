"""A folder of image files without labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.image_file import read_image
from training.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image.

    Attributes:
        name: name of the file.
        image: (height, width, 3), uint8 RGB.
    """

    name: str
    image: NDArray[np.uint8]


class ImageFolder:
    """The images of a folder in order of name, read on access; hidden files and sub-folders are skipped.

    Args:
        root: folder of the images.

    Raises:
        DatasetError: the folder does not exist, or has no file.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DatasetError(f"there is no folder {root}")
        self.files = sorted(file for file in root.iterdir() if file.is_file() and not file.name.startswith("."))
        if not self.files:
            raise DatasetError(f"folder {root} holds no file")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Photograph:
        """Read image number ``index`` as the service does.

        Raises:
            DatasetError: the file cannot be decoded; the message names it.
        """
        file = self.files[index]
        return Photograph(file.name, read_image(file))
