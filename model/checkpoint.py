"""The contract between training and serving: one safetensors file that holds everything a prediction needs.

Tensors: the weights, named and rounded according to ``storage_dtype``, ``golden.image`` and ``golden.mask``. Header:
one JSON document, ``fcn_checkpoint``. No pickle is ever read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import FiniteFloat, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save
from torch import Tensor

from model.errors import CheckpointError, SegmentationError, first_fault
from model.files import replacing
from model.labels import Labels
from model.networks import FCN, NetworkConfig, build_network
from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing
from model.streaming import Range
from model.weight_compression import StorageDtype, compress_weights, decompress_weights

_HEADER_KEY = "fcn_checkpoint"
_VERSIONS = {StorageDtype.FLOAT16: 1, StorageDtype.INT8: 2}
"""Format version by storage type: a program that does not know int8 must refuse the file, not misread it."""


@dataclass(frozen=True, slots=True)
class Golden:
    """An image and the mask that the weights predict for it, to verify that a file still predicts what it did.

    Attributes:
        image: (height, width, 3), uint8 RGB.
        mask: (height, width), uint8 class indices.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Summary:
    """Origin and scores of the weights, for readers and for ``GET /model``.

    Attributes:
        name: name of the weights.
        trained_on: data sets, in words.
        training: settings of the run, as JSON values.
        scores: name of a metric -> its value in 0..1.
        licenses: terms of the data and of the initial weights.
        precision_scores: precision -> list of images -> mIoU in 0..1, over the chosen classes if any were chosen;
            ``auto`` chooses the precision by these.
    """

    name: str = "unnamed"
    trained_on: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    licenses: str = ""
    precision_scores: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Header:
    network: NetworkConfig
    labels: Labels
    preprocessing: Preprocessing
    summary: Summary
    ranges: tuple[tuple[FiniteFloat, FiniteFloat], ...] = ()
    version: int = _VERSIONS[StorageDtype.FLOAT16]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network's weights with everything needed to use them.

    Attributes:
        config: the network's shape.
        labels: the classes, in the order of the network's outputs.
        weights: the network's state dictionary.
        preprocessing: normalisation of uint8 images.
        summary: origin and scores.
        golden: an image and the mask that must be predicted for it.
        digest: SHA-256 of the file it was read from, hexadecimal; empty if it was not read from one.
        storage_dtype: data type that the weights are rounded to when saved.
        activation_ranges: minimum and maximum of each activation of the network, for int8; empty if they were
            not measured. Programs that do not know int8 ignore them.

    Raises:
        CheckpointError: the number of labels differs from the number of the network's outputs.
    """

    config: NetworkConfig
    labels: Labels
    weights: Mapping[str, Tensor]
    preprocessing: Preprocessing = DEFAULT_PREPROCESSING
    summary: Summary = Summary()
    golden: Golden | None = None
    digest: str = ""
    storage_dtype: StorageDtype = StorageDtype.FLOAT16
    activation_ranges: tuple[Range, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) != self.config.num_classes:
            raise CheckpointError(f"{len(self.labels)} labels for a network of {self.config.num_classes} classes")

    def build(self) -> FCN:
        """Build the network with these weights, float32, in evaluation mode.

        Raises:
            CheckpointError: the weights do not fit the network.
        """
        network = _fitting_network(self.weights, self.config)
        # Copied, because the network may be trained; assigned, because initialising weights first would take longer.
        copies = {name: weight.clone(memory_format=torch.contiguous_format) for name, weight in self.weights.items()}
        network.load_state_dict(copies, assign=True)
        return network.eval().requires_grad_(False)

    def compressed(self) -> "Checkpoint":
        """Return the checkpoint with its weights rounded as saving and loading would round them."""
        return replace(self, weights=decompress_weights(compress_weights(self.weights, self.storage_dtype)))

    def save(self, path: Path) -> None:
        """Write the file, weights compressed, atomically: a reader sees the old file or the whole new one."""
        version = _VERSIONS[self.storage_dtype]
        header = _Header(self.config, self.labels, self.preprocessing, self.summary, self.activation_ranges, version)
        stored = compress_weights(self.weights, self.storage_dtype)
        tensors = {name: tensor.contiguous() for name, tensor in stored.items()}
        if self.golden is not None:
            tensors["golden.image"] = torch.from_numpy(self.golden.image.copy())
            tensors["golden.mask"] = torch.from_numpy(self.golden.mask.copy())
        with replacing(path) as unfinished:
            unfinished.write_bytes(save(tensors, {_HEADER_KEY: json.dumps(asdict(header))}))

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read a file written by ``save``.

        Raises:
            CheckpointError: the file is missing, unreadable, damaged, or not one of ours; the message says which.
        """
        try:
            if not path.is_file():
                raise CheckpointError(f"there is no weights file {path}")
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"weights file {path} cannot be read: {error.strerror}") from error
        try:
            # Not from the file itself, which would be mapped: overwriting a mapped file kills the process.
            tensors = load_tensors(content)
        except (SafetensorError, KeyError) as error:
            raise CheckpointError(f"weights file {path} is damaged or is not a safetensors file: {error}") from error
        metadata = _metadata(content)
        if _HEADER_KEY not in metadata:
            raise CheckpointError(
                f"weights file {path} was not written by this project: it has no {_HEADER_KEY} header"
            )
        header = _parse_header(metadata[_HEADER_KEY], path)
        try:
            weights = decompress_weights(tensors)
        except CheckpointError as error:
            raise CheckpointError(f"weights file {path} is damaged: {error}") from error
        return cls(
            config=header.network,
            labels=header.labels,
            weights=weights,
            preprocessing=header.preprocessing,
            summary=header.summary,
            golden=_golden(tensors, path),
            digest=hashlib.sha256(content).hexdigest(),
            storage_dtype=next(
                storage_dtype for storage_dtype, version in _VERSIONS.items() if version == header.version
            ),
            activation_ranges=header.ranges,
        )


def _fitting_network(weights: Mapping[str, Tensor], config: NetworkConfig) -> FCN:
    """Build the network on the meta device and compare names and shapes: the file may describe one that does not fit
    into memory.
    """
    with torch.device("meta"):
        network = build_network(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    described = f"{config.architecture} of width {config.width}"
    for name in (*expected, *found):
        if name not in found:
            fault = f"{name} is missing"
        elif name not in expected:
            fault = f"{name} is not part of it"
        elif found[name] != expected[name]:
            fault = f"{name} is {found[name]}, but must be {expected[name]}"
        else:
            continue
        raise CheckpointError(f"the weights do not fit the network {described}: {fault}")
    return network


def _metadata(content: bytes) -> dict[str, str]:
    """Metadata of a safetensors file that has been parsed before."""
    header_bytes = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8 : 8 + header_bytes]).get("__metadata__") or {}
    return metadata


def _parse_header(text: str, path: Path) -> _Header:
    try:
        header = TypeAdapter(_Header).validate_json(text)
    except ValidationError as error:
        raise CheckpointError(f"weights file {path} has an unusable header: {first_fault(error)}") from error
    except SegmentationError as error:
        raise CheckpointError(f"weights file {path} has an unusable header: {error}") from error
    if header.version not in _VERSIONS.values():
        known = " and ".join(str(version) for version in _VERSIONS.values())
        raise CheckpointError(f"weights file {path} has format {header.version}; this version reads {known}")
    return header


def _golden(tensors: Mapping[str, Tensor], path: Path) -> Golden | None:
    image, mask = tensors.get("golden.image"), tensors.get("golden.mask")
    if image is None or mask is None:
        return None
    if image.dtype != torch.uint8 or mask.dtype != torch.uint8 or image.shape != (*mask.shape, 3):
        raise CheckpointError(f"weights file {path} has an unusable golden sample: {image.shape} and {mask.shape}")
    return Golden(image.numpy(), mask.numpy())
