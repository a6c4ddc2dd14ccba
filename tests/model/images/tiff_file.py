"""TIFF files of every layout, and their colours according to tifffile, an independent reader."""

from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
import tifffile
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layout:
    """Storage of the samples; ``photometric`` and ``compression`` are tifffile's names."""

    photometric: str
    dtype: str
    samples: int = 1
    planar: bool = False
    order: Literal["<", ">"] = "<"
    compression: str | None = None
    predictor: bool = False
    tiled: bool = False
    size: tuple[int, int] = (19, 33)
    extra: str | None = None

    def __str__(self) -> str:
        return "-".join(str(getattr(self, name)) for name in self.__dataclass_fields__)


def write(layout: Layout) -> bytes:
    """Write random samples with tifffile."""
    height, width = layout.size
    random = np.random.default_rng(0)
    dtype = np.dtype(layout.dtype)
    shape = (height, width, layout.samples)
    samples = random.random(shape) if dtype.kind == "f" else random.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    samples = samples.astype(dtype)
    if layout.samples == 1:
        samples = samples[..., 0]
    elif layout.planar:
        samples = np.moveaxis(samples, -1, 0)
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        samples,
        photometric=layout.photometric,
        byteorder=layout.order,
        planarconfig=("separate" if layout.planar else "contig") if layout.samples > 1 else None,
        compression=layout.compression,
        predictor=layout.predictor,
        tile=(16, 16) if layout.tiled else None,
        extrasamples=[layout.extra] if layout.extra else None,
        rowsperstrip=None if layout.tiled else 7,
        metadata=None,
    )
    return buffer.getvalue()


def shown(file: bytes, layout: Layout) -> NDArray[np.float64]:
    """Colours of tifffile's samples by the specification's formulas, on white: (height, width, 3), 0..255."""
    samples = tifffile.imread(BytesIO(file)).astype(np.float64)
    if layout.samples == 1:
        samples = samples[..., None]
    elif layout.planar:
        samples = np.moveaxis(samples, 0, -1)
    dtype = np.dtype(layout.dtype)
    white = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    scaled = samples / white * 255
    match layout.photometric:
        case "miniswhite":
            colors = 255 - scaled[..., :1]
        case "separated":
            colors = (255 - scaled[..., :3]) * (255 - scaled[..., 3:4]) / 255
        case _:
            colors = scaled[..., : 3 if layout.photometric == "rgb" else 1]
    if layout.extra is not None and layout.extra != "unspecified":
        alpha = scaled[..., -1:] / 255
        colors = (colors if layout.extra == "assocalpha" else colors * alpha) + 255 * (1 - alpha)
    return np.clip(np.broadcast_to(colors, (*samples.shape[:2], 3)), 0, 255)
