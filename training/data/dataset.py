"""Images and masks in Pascal VOC's folder layout."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from model.image_suffixes import IMAGE_SUFFIXES
from model.images import read_orientation
from model.labels import IGNORE_INDEX, VOC, Labels
from training.data.image_file import read_image
from training.data.masks import read_mask
from training.data.soft_labels import SoftLabels
from training.errors import DatasetError
from training.text_file import read_text

_IMAGE_FOLDER = "JPEGImages"
_MASK_FOLDERS = ("SegmentationClassAug", "SegmentationClass")
_MASK_SUFFIXES = frozenset({".png"})

_MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its labels.

    Attributes:
        name: name of the image as in the list, without suffix.
        image: (height, width, 3), uint8 RGB.
        mask: (height, width), uint8 class indices, 255 for unknown.
        soft_labels: a teacher's soft labels, or None.
    """

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    soft_labels: SoftLabels | None = None


class VocDataset:
    """The samples named in a list file of a data set, read on access.

    Args:
        root: folder that holds ``JPEGImages`` (images in any format that the service reads), ``SegmentationClassAug``
            or ``SegmentationClass`` (PNG files), and ``ImageSets/Segmentation`` (lists of names without suffix).
        split: name of a list file, without ``.txt``.
        labels: class table of the masks.
        soft_labels: folder of a teacher's soft labels, one ``.npz`` file per image; None without a teacher.
        labelled: whether there are masks; without masks, every pixel's class is unknown.

    Raises:
        DatasetError: a folder or the list is missing, or the list is empty or names an image twice.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        labels: Labels = VOC,
        *,
        soft_labels: Path | None = None,
        labelled: bool = True,
    ) -> None:
        self.root = root
        self.split = split
        self.labels = labels
        self.labelled = labelled
        self._soft_labels = soft_labels
        self._masks = _mask_folder(root) if labelled else root
        self._folders: dict[Path, Mapping[str, Sequence[Path]]] = {}
        if not (root / _IMAGE_FOLDER).is_dir():
            raise DatasetError(f"{root} has no folder {_IMAGE_FOLDER}")
        self.names = _read_list(root / "ImageSets" / "Segmentation" / f"{split}.txt")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Read sample number ``index``.

        Raises:
            DatasetError: a file is missing or cannot be decoded, sizes differ, or the mask holds an unknown class.
        """
        name = self.names[index]
        file = self._find(self.root / _IMAGE_FOLDER, name, IMAGE_SUFFIXES, default=".jpg")
        image = read_image(file)
        soft_labels = None
        if self._soft_labels is not None:
            soft_labels = SoftLabels.load(self._soft_labels / f"{name}.npz", len(self.labels))
        return Sample(name, image, self._mask(name, image, file), soft_labels)

    def keep(self, indices: Sequence[int]) -> None:
        """Keep only the samples with these indices."""
        self.names = [self.names[index] for index in indices]

    def spread(self, count: int) -> list[int]:
        """Return the indices of ``count`` samples spread evenly over the list, or of all if there are fewer."""
        count = min(count, len(self))
        return [round(index * (len(self) - 1) / max(1, count - 1)) for index in range(count)]

    def _find(self, folder: Path, name: str, suffixes: Set[str], default: str) -> Path:
        """Find the file with a name and one of the suffixes; if there is none, the message names ``default``."""
        path = folder / name
        there = self._files(path.parent).get(path.name, ())
        files = [file for file in there if file.suffix.lower() in suffixes]
        if len(files) > 1:
            raise DatasetError(f"{path.parent} holds {' and '.join(file.name for file in files)}: which one is {name}?")
        if files:
            return files[0]
        missing = f"{path.with_name(path.name + default)} is missing"
        if there:
            raise DatasetError(f"{missing}; found only {' and '.join(file.name for file in there)}")
        raise DatasetError(missing + ("; a line of a list is one name" if len(name.split()) > 1 else ""))

    def _files(self, folder: Path) -> Mapping[str, Sequence[Path]]:
        """Return a folder's files by name without suffix; cached, because listing a large folder takes long."""
        if folder not in self._folders:
            files: dict[str, list[Path]] = {}
            for file in sorted(folder.iterdir() if folder.is_dir() else ()):
                files.setdefault(file.stem, []).append(file)
            self._folders[folder] = files
        return self._folders[folder]

    def _mask(self, name: str, image: NDArray[np.uint8], image_file: Path) -> NDArray[np.uint8]:
        if not self.labelled:
            return np.full(image.shape[:2], IGNORE_INDEX, dtype=np.uint8)
        file = self._find(self._masks, name, _MASK_SUFFIXES, default=".png")
        mask = read_mask(file, self.labels)
        if image.shape[:2] != mask.shape:
            raise DatasetError(f"{file} has size {mask.shape}, its image {image.shape[:2]}{_turned(image_file)}")
        return mask


def _read_list(file: Path) -> list[str]:
    """Read the names in a list file, one per line."""
    try:
        lines = [line.strip() for line in read_text(file).split("\n")]
    except (OSError, ValueError) as error:
        raise DatasetError(f"list {file} cannot be read: {error}") from error
    names = [_name(line) for line in lines if line]
    if not names:
        raise DatasetError(f"list {file} names no image")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DatasetError(f"list {file} names images more than once: {', '.join(repeated[:_MAX_NAMED])}")
    return names


def _name(line: str) -> str:
    """Normalise a list's line: drop an image suffix, and turn backslashes into slashes, as programs differ in both."""
    path = PurePosixPath(PureWindowsPath(line).as_posix())
    return str(path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path)


def _turned(file: Path) -> str:
    """Explain a size mismatch between an image and its mask by the image's EXIF orientation, if any."""
    with file.open("rb") as stream:
        orientation = read_orientation(stream)
    return "" if orientation == 1 else f" after its EXIF orientation {orientation}; a mask is turned by its own"


def _mask_folder(root: Path) -> Path:
    for name in _MASK_FOLDERS:
        if (root / name).is_dir():
            return root / name
    raise DatasetError(f"{root} has neither folder {' nor '.join(_MASK_FOLDERS)}")
