"""Export to ONNX: an image of any size in, logits of each pixel out, preprocessing and padding inside.

Input ``image``: (batch, 3, height, width) uint8 RGB, any batch, height and width from 1 on. Output ``logits``: (batch,
classes, height, width) float32. Metadata: ``name``, ``sha256`` (of the checkpoint's file), ``classes`` (JSON: index,
name, color), ``licenses``.
"""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from model.checkpoint import Checkpoint
from model.files import replacing
from model.networks.fcn import ALIGNMENT
from training.errors import ExportError

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

_MAX_RELATIVE_DIFFERENCE = 1e-4
"""Maximum difference, relative to the largest logit. Measured: rounding alone gives 1e-6, a shift by half a pixel more
than 1e-1."""

_TRACED_SIZE = (2, 3, 75, 107)
"""Shape of the traced input, without special sizes: not a multiple of 32, not square, not a batch of one."""

_DYNAMIC_AXES = {0: "batch", 2: "height", 3: "width"}

_NOISE_SIZES = ((1, 3, 1, 1), (2, 3, 64, 96), (3, 3, 33, 160))
_MAX_PHOTOGRAPH_SIDE = 512


@dataclass(frozen=True, slots=True)
class Equality:
    """Comparison of an ONNX file with the network it was exported from.

    Attributes:
        difference: maximum absolute difference of a logit.
        largest: maximum absolute logit.
        pixels: number of pixels compared.
        differing: number of pixels whose winning class differs.
    """

    difference: float
    largest: float
    pixels: int
    differing: int

    @property
    def holds(self) -> bool:
        """Whether the difference is mere rounding; then winners differ only if two classes are within twice that."""
        return self.difference <= _MAX_RELATIVE_DIFFERENCE * self.largest


class PhotographNetwork(nn.Module):
    """A checkpoint's network with the preprocessing and cropping of an image, as in tiling ``whole``."""

    padding_color: Tensor

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.build()
        self._preprocessing = checkpoint.preprocessing
        color = torch.tensor(checkpoint.preprocessing.mean_color, dtype=torch.float32)
        self.register_buffer("padding_color", color.view(1, 3, 1, 1), persistent=False)
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, height, width) uint8 RGB -> logits (batch, classes, height, width) float32."""
        height, width = image.shape[-2:]
        # Padding takes one value for all three channels, so the padding colour is subtracted first and added back.
        shifted = image.to(torch.float32) - self.padding_color
        padded = functional.pad(shifted, (0, -width % ALIGNMENT, 0, -height % ALIGNMENT)) + self.padding_color
        logits: Tensor = self.network(self._preprocessing(padded))  # (B, K, padded height, padded width)
        return logits[..., :height, :width]


def require_onnx() -> None:
    """Check that the packages are installed, before any work is done.

    Raises:
        ExportError: a package is missing.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ExportError(f"ONNX needs {package}: pip install --editable '.[train,onnx]'") from error


def export_onnx(checkpoint: Checkpoint, path: Path) -> Equality:
    """Write an ONNX file, and compare it in onnxruntime with the network on several sizes; if unequal, it is removed.

    Args:
        checkpoint: checkpoint as loaded from its file, so that its weights are the served ones.
        path: file to write.

    Raises:
        ExportError: packages are missing, or the exported file cannot be run or differs.
    """
    require_onnx()
    network = PhotographNetwork(checkpoint)
    program = _program(network)
    _describe(program, checkpoint)
    with replacing(path) as unfinished:
        program.save(unfinished, external_data=False)
        equality = _compare(unfinished, network, checkpoint)
        if not equality.holds:
            raise ExportError(
                f"ONNX differs from PyTorch by {equality.difference:.2g} (logits up to {equality.largest:.3g}), and in "
                f"{equality.differing} of {equality.pixels} pixels"
            )
    return equality


def _program(network: PhotographNetwork) -> "ONNXProgram":
    image = torch.zeros(_TRACED_SIZE, dtype=torch.uint8)
    # Skips are added to scores of the same size for every height, but the exporter cannot prove that for padded sizes.
    # Deferred, its guard becomes a check at run time; ONNX's Add has the same check.
    exported = torch.export.export(
        network,
        (image,),
        dynamic_shapes=(dict.fromkeys(_DYNAMIC_AXES, Dim.DYNAMIC),),
        prefer_deferred_runtime_asserts_over_guards=True,
    )
    program = torch.onnx.export(
        exported, input_names=["image"], output_names=["logits"], dynamic_shapes=(_DYNAMIC_AXES,), verbose=False
    )
    assert program is not None
    return program


def _describe(program: "ONNXProgram", checkpoint: Checkpoint) -> None:
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass  # noqa: PLC0415 (an extra)

    ClearMetadataAndDocStringPass()(program.model)  # the metadata name source files on the exporting machine
    labels, summary = checkpoint.labels, checkpoint.summary
    classes = [
        {"index": index, "name": name, "color": color}
        for index, (name, color) in enumerate(zip(labels.names, labels.colors, strict=True))
    ]
    program.model.metadata_props.update(
        name=summary.name, sha256=checkpoint.digest, classes=json.dumps(classes), licenses=summary.licenses
    )


def _compare(file: Path, network: PhotographNetwork, checkpoint: Checkpoint) -> Equality:
    import onnxruntime  # noqa: PLC0415 (an extra)

    difference, largest, pixels, differing = 0.0, 0.0, 0, 0
    try:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for images in _trials(checkpoint):
            with torch.inference_mode():
                expected = network(torch.from_numpy(images)).numpy()
            found = session.run(["logits"], {"image": images})[0]
            if found.shape != expected.shape:
                raise ValueError(f"logits of an input {images.shape} have shape {found.shape}")
            difference = float(np.maximum(difference, np.abs(found - expected).max()))  # unlike max, keeps NaN
            largest = float(np.maximum(largest, np.abs(expected).max()))
            pixels += expected[:, 0].size
            differing += int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    except Exception as error:  # onnxruntime's errors have no common base class
        raise ExportError(f"the exported file does not run correctly in onnxruntime: {error}") from error
    return Equality(difference, largest, pixels, differing)


def _trials(checkpoint: Checkpoint) -> Iterator[NDArray[np.uint8]]:
    """Yield images to compare on, (batch, 3, height, width) uint8: noise of several sizes, and the golden image."""
    random = np.random.default_rng(0)
    for size in _NOISE_SIZES:
        yield random.integers(0, 256, size, dtype=np.uint8)
    if checkpoint.golden is not None:
        photograph = checkpoint.golden.image[:_MAX_PHOTOGRAPH_SIDE, :_MAX_PHOTOGRAPH_SIDE]
        yield np.ascontiguousarray(photograph.transpose(2, 0, 1)[None])
