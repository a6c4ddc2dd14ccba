"""Settings of a training run: frozen dataclasses, read from TOML or YAML, saved into the checkpoint."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from model.errors import SegmentationError
from model.networks import Architecture, NetworkConfig
from model.networks.fcn import ALIGNMENT
from training.errors import ConfigError

_STRICT = ConfigDict(extra="forbid")


class Balance(StrEnum):
    """What makes a class rare."""

    IMAGES = "images"
    PIXELS = "pixels"


class SmallImages(StrEnum):
    """What becomes of images smaller than the crop."""

    PAD = "pad"
    DROP = "drop"


class OptimizerKind(StrEnum):
    """How weights are updated."""

    SGD = "sgd"
    ADAMW = "adamw"


class LRSchedule(StrEnum):
    """How the learning rate falls from its greatest value."""

    POLY = "poly"
    COSINE = "cosine"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """A data set that takes part in every batch.

    Attributes:
        root: its folder, in VOC layout.
        split: its list, without ``.txt``.
        per_batch: samples of it in each batch, all processes together.
        soft_labels: folder of a teacher's soft labels, or empty.
        labelled: whether there are masks; without them only the teacher is learned from.
    """

    root: Path
    split: str = "train"
    per_batch: int = 16
    soft_labels: Path | None = None
    labelled: bool = True

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if self.per_batch < 1:
            raise ConfigError(f"per_batch must be at least 1, not {self.per_batch}")
        if not self.labelled and self.soft_labels is None:
            raise ConfigError(f"{self.root} has neither masks nor soft labels: there is nothing to learn")


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What is trained on, and how it is varied.

    Attributes:
        folder: that relative paths of data sets and soft labels start from.
        sources: the data sets.
        validation: data set whose ``per_batch`` is of no meaning; scored every ``run.validate_every`` steps.
        labels: file of the classes' names and colours; empty is Pascal VOC.
        crop_size: side of the square crops, a multiple of 32.
        min_scale, max_scale: range of the random scale before the crop; 1 and 1 is the book's.
        flip: mirror every other sample.
        color_jitter: greatest relative change of brightness, contrast and saturation.
        small_images: ``pad`` images smaller than the crop with index 255, or ``drop`` them as the book does.
        balance: 0 shows all images equally often; 1 favours rare classes fully, values between soften that.
        balance_by: what a class is rare in: ``images`` shows an image in inverse proportion to how many show its rarest
            class; ``pixels`` in proportion to the sum, over its pixels, of the inverse frequency of their classes.
        max_class_share: crops of which one class has more than this share of the known pixels are drawn anew, ten times
            at most; 1 takes every crop.
        copy_paste: chance of a crop to have the pixels of a class of another image pasted over it, from images
            chosen with ``balance`` 1 by ``pixels``.
        workers: processes that load data.
        allow_empty_classes: train although no mask shows some class.
    """

    folder: Path = Path("data")
    sources: tuple[SourceConfig, ...] = ()
    validation: SourceConfig | None = None
    labels: Path | None = None
    crop_size: int = 320
    min_scale: float = 0.5
    max_scale: float = 1.5
    flip: bool = True
    color_jitter: float = 0.2
    small_images: SmallImages = SmallImages.PAD
    balance: float = 0.0
    balance_by: Balance = Balance.IMAGES
    max_class_share: float = 1.0
    copy_paste: float = 0.0
    workers: int = 2
    allow_empty_classes: bool = False

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if self.crop_size < ALIGNMENT or self.crop_size % ALIGNMENT:
            raise ConfigError(f"crop_size must be a multiple of {ALIGNMENT}, not {self.crop_size}")
        if not 0 < self.min_scale <= self.max_scale:
            raise ConfigError(f"scales must be 0 < min_scale <= max_scale, not {self.min_scale} and {self.max_scale}")
        _require_range("color_jitter", self.color_jitter, 0, 0.99)
        _require_range("balance", self.balance, 0, 1)
        _require_range("max_class_share", self.max_class_share, 0.1, 1)
        _require_range("copy_paste", self.copy_paste, 0, 1)
        _require_range("workers", self.workers, 0, 256)


@dataclass(frozen=True, slots=True)
class StartConfig:
    """Which weights training starts from.

    Attributes:
        backbone: ImageNet weights: a file, ``torchvision`` to download them, or ``random``.
        checkpoint: checkpoint to go on from, instead: its network and its preprocessing stand. If its classes are
            the run's, they stand as well; otherwise the layers that score classes start anew.
        keep_network: whether the checkpoint's network stands; else ``network`` is built, and takes over the layers of
            the same name and shape.
    """

    backbone: str = "torchvision"
    checkpoint: Path | None = None
    keep_network: bool = True

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """How weights are updated.

    Attributes:
        rule: ``sgd`` (with momentum) or ``adamw``.
        learning_rate: greatest learning rate of the backbone, for a loss that is a mean over pixels.
        head_learning_rate: of everything else.
        stem_learning_rate: of the backbone's stem and layer1; 0 is ``learning_rate``.
        momentum: of SGD.
        weight_decay: of kernels; biases and batch-norm are not decayed.
        decay: ``poly`` (power 0.9), ``cosine`` or ``constant``.
        warmup_steps: over which the learning rate rises from 0.
        clip_norm: greatest norm of the gradient; 0 does not clip.
        ema_decay: of the running average of the weights that is saved; 0 saves the last weights.
        frozen_stages: backbone stages that keep their weights and statistics: 0 none, 1 the stem, 2 layer1 too, ...
        freeze_batch_norm: keep the backbone's batch-norm statistics and weights.
        freeze_upsampling: keep learned upsampling kernels as they start.
    """

    rule: OptimizerKind = OptimizerKind.SGD
    learning_rate: float = 0.01
    head_learning_rate: float = 0.1
    stem_learning_rate: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    decay: LRSchedule = LRSchedule.POLY
    warmup_steps: int = 100
    clip_norm: float = 0.0
    ema_decay: float = 0.998
    frozen_stages: int = 0
    freeze_batch_norm: bool = False
    freeze_upsampling: bool = False

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and self.head_learning_rate > 0):
            raise ConfigError("learning_rate and head_learning_rate must be above 0")
        _require_range("stem_learning_rate", self.stem_learning_rate, 0, math.inf)
        _require_range("momentum", self.momentum, 0, 0.9999)
        _require_range("weight_decay", self.weight_decay, 0, 10)
        _require_range("warmup_steps", self.warmup_steps, 0, math.inf)
        _require_range("clip_norm", self.clip_norm, 0, math.inf)
        _require_range("ema_decay", self.ema_decay, 0, 0.99999)
        _require_range("frozen_stages", self.frozen_stages, 0, 5)


@dataclass(frozen=True, slots=True)
class LossConfig:
    """What is minimised: cross-entropy of the known pixels, and what is added to it.

    Attributes:
        pixel_stride: count only every so-manieth pixel of each row and column, from a random first one. An unbiased
            estimate of the loss of all pixels (1), at a fraction of its cost. Needs bilinear upsampling.
        hardest: share of the known pixels that count, those with the greatest loss ("online hard example mining");
            1 counts all.
        distillation: weight of the cross-entropy between the teacher's soft labels and the network's scores.
        auxiliary: weight of the loss of an auxiliary head on layer3, which is dropped after training.
    """

    pixel_stride: int = 1
    hardest: float = 1.0
    distillation: float = 0.0
    auxiliary: float = 0.0

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        _require_range("pixel_stride", self.pixel_stride, 1, 32)
        _require_range("hardest", self.hardest, 0.001, 1)
        _require_range("distillation", self.distillation, 0, 1000)
        _require_range("auxiliary", self.auxiliary, 0, 1000)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How long, where, and how often the run tells of itself.

    A resumed run may change these, but for ``steps``, ``seed`` and ``bfloat16``.

    Attributes:
        steps: number of optimiser steps.
        seed: of initialisation, order and transforms.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...
        threads: CPU threads of each process; 0 is as many as there are cores, by affinity and CPU quota.
        bfloat16: compute convolutions in bfloat16.
        compile: compile the network with ``torch.compile``.
        sync_batch_norm: take batch-norm statistics over the crops of all GPUs, which matters with few crops on each.
        log_every, save_every, validate_every: in steps; ``validate_every`` 0 never validates.
        max_minutes: stop and save after so long; 0 runs to the end.
        tensorboard: also write TensorBoard's event files.
    """

    steps: int = 4000
    seed: int = 0
    device: str = "auto"
    threads: int = 0
    bfloat16: bool = False
    compile: bool = False
    sync_batch_norm: bool = False
    log_every: int = 20
    save_every: int = 250
    validate_every: int = 0
    max_minutes: float = 0.0
    tensorboard: bool = True

    __pydantic_config__ = _STRICT

    def __post_init__(self) -> None:
        for name in ("steps", "log_every", "save_every"):
            _require_range(name, getattr(self, name), 1, math.inf)
        for name in ("threads", "validate_every", "max_minutes", "seed"):
            _require_range(name, getattr(self, name), 0, math.inf)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a training run.

    ``network.num_classes`` is set from the labels, or from the checkpoint that is started from.

    Raises:
        ConfigError: a value is out of its range.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(Architecture.FCN8S, learned_upsampling=False))
    start: StartConfig = field(default_factory=StartConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    run: RunConfig = field(default_factory=RunConfig)

    __pydantic_config__ = _STRICT

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        document: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "TrainConfig":
        """From nested mappings; what they leave out keeps its default.

        Raises:
            ConfigError: a setting is unknown, of the wrong type or out of its range; the message names all of them.
        """
        try:
            return _ADAPTER.validate_python(document)
        except ValidationError as error:
            faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
            raise ConfigError("; ".join(faults)) from error
        except SegmentationError as error:
            raise ConfigError(f"network: {error}") from error


_ADAPTER = TypeAdapter(TrainConfig)


def load_config(file: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a configuration.

    Args:
        file: TOML or YAML, by its suffix; None starts from the defaults.
        overrides: ``section.name=value``, the value as TOML writes it or a bare word; later ones win.

    Raises:
        ConfigError: the file cannot be read, or holds a setting that does not exist or cannot be used.
    """
    document = TrainConfig().document()
    if file is not None:
        _merge(document, _read(file))
    for override in overrides:
        _apply(document, override)
    try:
        return TrainConfig.from_document(document)
    except ConfigError as error:
        raise ConfigError(f"{file or 'settings'}: {error}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text()
        document = yaml.safe_load(text) if file.suffix in {".yaml", ".yml"} else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"configuration {file} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"configuration {file} is neither TOML nor YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"configuration {file} holds no sections")
    return document


def _merge(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            _merge(document[name], value)
        else:
            document[name] = value


def _apply(document: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    *sections, name = path.strip().split(".")
    if not separator or not sections:
        raise ConfigError(f"{override!r} is not of the form section.name=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if name in _PATHS and not isinstance(value, str):
        value = text
    for section in sections:
        document = document.setdefault(section, {})
        if not isinstance(document, dict):
            raise ConfigError(f"{override!r}: {section} is no section")
    document[name] = value


_PATHS = {"folder", "labels", "checkpoint", "backbone"}
"""Settings whose values are paths, though they may look like numbers or dates."""


def differences(first: TrainConfig, second: TrainConfig) -> list[str]:
    """Names of the settings that differ and that decide the result of a run."""
    pairs = zip(_flat(asdict(first)), _flat(asdict(second)), strict=True)
    changed = [name for (name, one), (_, other) in pairs if one != other]
    return [
        name for name in changed if not name.startswith("run.") or name in {"run.steps", "run.seed", "run.bfloat16"}
    ]


def _flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in document.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


def _require_range(name: str, value: float, least: float, greatest: float) -> None:
    if not least <= value <= greatest:
        bound = f"at least {least}" if greatest == math.inf else f"in {least}..{greatest}"
        raise ConfigError(f"{name} must be {bound}, not {value}")
