"""The Semantic Boundaries Dataset: masks for 8,000 more of VOC 2012's photographs.

Source: Hariharan, Arbelaez, Bourdev, Maji, Malik, "Semantic Contours from Inverse Detectors", ICCV 2011.
"""

import shutil
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from model.labels import IGNORE_INDEX, VOC
from training.data.archive import Archive, unpack
from training.data.fetching import Part
from training.errors import FetchError
from training.progress import track

_BASE = "benchmark_RELEASE/dataset"
_LISTS = "ImageSets/Segmentation"
_MASKS = "SegmentationClassAug"


def read_mask(file: Path) -> NDArray[np.uint8]:
    """Read the mask in one of SBD's files.

    Args:
        file: MATLAB file with the structure ``GTcls``, whose field ``Segmentation`` is the mask.

    Returns:
        (height, width), uint8: 0..20. SBD has no void borders; 255 would be accepted.

    Raises:
        FetchError: the file is not a mask of SBD.
    """
    try:
        mask = np.asarray(loadmat(file, variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0])
    except (OSError, LookupError, ValueError, TypeError, zlib.error, MatReadError) as error:
        raise FetchError(f"{file} holds no mask: {error}") from error
    foreign = mask[~np.isin(mask, [*range(len(VOC)), IGNORE_INDEX])]
    if mask.ndim != 2 or foreign.size:
        raise FetchError(f"{file} holds no mask, but shape {mask.shape} with the foreign values {np.unique(foreign)}")
    return mask.astype(np.uint8)


def _make(archive: Path, workplace: Path, root: Path) -> Path:
    """Build the masks, preferring VOC's own, and ``trainaug``: VOC's train and all of SBD, without VOC's val."""
    unpack(archive, workplace, (f"{_BASE}/cls/", f"{_BASE}/train.txt", f"{_BASE}/val.txt"))
    source, made = workplace / _BASE, workplace / "made"
    names = _names(source / "train.txt") | _names(source / "val.txt")
    shutil.copytree(root / "SegmentationClass", made / _MASKS)
    own = {file.stem for file in (made / _MASKS).iterdir()}
    for name in track(sorted(names - own), "masks of SBD", len(names - own)):
        _write_mask(read_mask(source / "cls" / f"{name}.mat"), made / _MASKS / f"{name}.png")
    trainaug = (_names(root / _LISTS / "train.txt") | names) - _names(root / _LISTS / "val.txt")
    (made / _LISTS).mkdir(parents=True)
    (made / _LISTS / "trainaug.txt").write_text("".join(f"{name}\n" for name in sorted(trainaug)))
    return made


def _names(file: Path) -> set[str]:
    return set(file.read_text().split())


def _write_mask(mask: NDArray[np.uint8], file: Path) -> None:
    picture = Image.fromarray(mask)
    picture.putpalette(VOC.palette.tobytes())
    picture.save(file)


SBD = Part(
    title="SBD",
    archive=Archive(
        name="benchmark.tgz",
        # The older address on www.eecs.berkeley.edu is a chain of redirects that not every client follows.
        url="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
        md5="82b4d87ceb2ed10f6038a1cba92111cb",
    ),
    results=(_MASKS, f"{_LISTS}/trainaug.txt"),
    make=_make,
)
"""SBD, which needs VOC 2012 in the same folder; ``trainaug`` lists 10,582 photographs."""
