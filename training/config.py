"""Settings of a training run: frozen dataclasses, saved into the checkpoint."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from model.errors import SegmentationError
from model.networks import Architecture, NetworkConfig
from model.networks.fcn import ALIGNMENT
from training.errors import ConfigError

_STRICT = ConfigDict(extra="forbid")


class Balance(StrEnum):
    """How the rarity of a class is measured."""

    IMAGES = "images"
    PIXELS = "pixels"


class SmallImages(StrEnum):
    """Treatment of images smaller than the crop."""

    PAD = "pad"
    DROP = "drop"


class OptimizerName(StrEnum):
    """Available optimizers."""

    SGD = "sgd"
    ADAMW = "adamw"


class LRSchedule(StrEnum):
    """How the learning rate decays from its maximum."""

    POLY = "poly"
    COSINE = "cosine"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True, config=_STRICT)
class SourceConfig:
    """A data set that contributes to every batch."""

    root: Path = Field(description="folder in VOC layout")
    split: str = Field(default="train", description="name of the list, without ``.txt``")
    per_batch: int = Field(default=16, ge=1, description="samples per batch, over all processes")
    soft_labels: Path | None = Field(default=None, description="folder of a teacher's soft labels")
    labelled: bool = Field(
        default=True, description="whether there are masks; otherwise only the teacher's soft labels are used"
    )

    def __post_init__(self) -> None:
        if not self.labelled and self.soft_labels is None:
            raise ValueError(f"{self.root} has neither masks nor soft labels: there is nothing to learn")


@dataclass(frozen=True, slots=True, config=_STRICT)
class DataConfig:
    """Training data and their augmentation."""

    folder: Path = Field(default=Path("data"), description="base of relative paths of data sets and soft labels")
    sources: tuple[SourceConfig, ...] = Field(default=(), description="data sets to train on")
    validation: SourceConfig | None = Field(
        default=None, description="data set scored every ``run.validate_every`` steps; its ``per_batch`` is ignored"
    )
    labels: Path | None = Field(
        default=None, description="file of the classes' names and colours; without one, Pascal VOC's"
    )
    crop_size: int = Field(
        default=320, ge=ALIGNMENT, multiple_of=ALIGNMENT, description="side of the square crops, in pixels"
    )
    min_scale: float = Field(default=0.5, gt=0, description="minimum random scale before the crop; the book uses 1")
    max_scale: float = Field(default=1.5, gt=0, description="maximum random scale before the crop; the book uses 1")
    flip: bool = Field(default=True, description="mirror half of the samples, at random")
    color_jitter: float = Field(
        default=0.2, ge=0, le=0.99, description="maximum relative change of brightness, contrast and saturation"
    )
    small_images: SmallImages = Field(
        default=SmallImages.PAD,
        description="``pad`` images smaller than the crop with index 255, or ``drop`` them as the book does",
    )
    balance: float = Field(
        default=0.0, ge=0, le=1, description="0 samples all images equally often, 1 fully favours rare classes"
    )
    balance_by: Balance = Field(
        default=Balance.IMAGES,
        description="measure of rarity: ``images`` samples an image in inverse proportion to the number of images with "
        "its rarest class; ``pixels`` in proportion to the mean of its pixels' inverse class frequencies",
    )
    max_class_share: float = Field(
        default=1.0,
        ge=0.1,
        le=1,
        description="crops in which one class has more than this share of the known pixels are redrawn, up to ten "
        "times; 1 accepts every crop",
    )
    copy_paste: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="probability of pasting the pixels of one class of another image over a crop; that image is "
        "sampled with ``balance`` 1 by ``pixels``",
    )
    workers: int = Field(default=2, ge=0, le=256, description="number of data loading processes")
    allow_empty_classes: bool = Field(default=False, description="train even if some class is in no mask")

    def __post_init__(self) -> None:
        if self.min_scale > self.max_scale:
            raise ValueError(f"min_scale must not be above max_scale: {self.min_scale} and {self.max_scale}")


@dataclass(frozen=True, slots=True, config=_STRICT)
class StartConfig:
    """Initial weights."""

    backbone: str = Field(
        default="torchvision", description="ImageNet weights: a file, ``torchvision`` to download them, or ``random``"
    )
    checkpoint: Path | None = Field(
        default=None,
        description="checkpoint to start from instead: its network and its preprocessing are kept. If its classes are "
        "the run's, the layers that score classes are kept too; otherwise they are initialised anew",
    )
    keep_network: bool = Field(
        default=True,
        description="whether to keep the checkpoint's network; otherwise ``network`` is built, and copies the weights "
        "of layers with the same name and shape",
    )


@dataclass(frozen=True, slots=True, config=_STRICT)
class OptimizerConfig:
    """How weights are updated."""

    name: OptimizerName = Field(default=OptimizerName.SGD, description="``sgd`` (with momentum) or ``adamw``")
    learning_rate: float = Field(
        default=0.01, gt=0, description="maximum learning rate of the backbone, for a loss that is a mean over pixels"
    )
    head_learning_rate: float = Field(default=0.1, gt=0, description="maximum learning rate of all other layers")
    stem_learning_rate: float = Field(
        default=0.0,
        ge=0,
        description="maximum learning rate of the backbone's stem and layer1; 0 means ``learning_rate``",
    )
    momentum: float = Field(default=0.9, ge=0, le=0.9999, description="momentum of SGD")
    weight_decay: float = Field(
        default=1e-4, ge=0, le=10, description="weight decay of kernels; biases and batch-norm are not decayed"
    )
    lr_schedule: LRSchedule = Field(
        default=LRSchedule.POLY, description="``poly`` (power 0.9), ``cosine`` or ``constant``"
    )
    warmup_steps: int = Field(default=100, ge=0, description="steps over which the learning rate rises from 0")
    clip_norm: float = Field(default=0.0, ge=0, description="maximum norm of the gradient; 0 does not clip")
    ema_decay: float = Field(
        default=0.998,
        ge=0,
        le=0.99999,
        description="decay of the moving average of the weights, which is saved; 0 saves the last weights",
    )
    frozen_stages: int = Field(
        default=0,
        ge=0,
        le=5,
        description="number of frozen backbone stages, which keep their weights and statistics: 1 is the stem, 2 adds "
        "layer1, ...",
    )
    freeze_batch_norm: bool = Field(default=False, description="keep the backbone's batch-norm statistics and weights")
    freeze_upsampling: bool = Field(default=False, description="keep the initial kernels of learned upsampling")


_LossWeight = Annotated[float, Field(ge=0, le=1000)]


@dataclass(frozen=True, slots=True, config=_STRICT)
class LossConfig:
    """The loss: cross-entropy of the known pixels, plus optional terms."""

    pixel_stride: int = Field(
        default=1,
        ge=1,
        le=32,
        description="use every n-th pixel along rows and columns, from a random first one: an unbiased estimate of the "
        "loss of all pixels (1), at a fraction of its cost. Needs bilinear upsampling",
    )
    ohem_fraction: float = Field(
        default=1.0,
        ge=0.001,
        le=1,
        description="share of the known pixels that count: those with the highest loss (online hard example mining)",
    )
    lovasz: _LossWeight = Field(
        default=0.0,
        description="weight of the Lovász-softmax loss, which follows the mean IoU of classes in a process's crops",
    )
    distillation: _LossWeight = Field(
        default=0.0,
        description="weight of the cross-entropy between the teacher's soft labels and the network's scores",
    )
    auxiliary: _LossWeight = Field(
        default=0.0,
        description="weight of the loss of an auxiliary head on layer3, dropped after training",
    )


@dataclass(frozen=True, slots=True, config=_STRICT)
class RunConfig:
    """Duration, device, logging and saving.

    A resumed run may change these, except ``steps``, ``seed`` and ``bfloat16``.
    """

    steps: int = Field(default=4000, ge=1, description="number of optimizer steps")
    seed: int = Field(default=0, ge=0, description="random seed of initialisation, order and transforms")
    device: str = Field(default="auto", description="``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...")
    threads: int = Field(
        default=0,
        ge=0,
        description="CPU threads per process; 0 means as many as usable cores, by affinity and CPU quota",
    )
    bfloat16: bool = Field(default=False, description="compute convolutions in bfloat16")
    compile: bool = Field(default=False, description="compile the network with ``torch.compile``")
    sync_batch_norm: bool = Field(
        default=False,
        description="compute batch-norm statistics over the crops of all GPUs: matters with few crops per GPU",
    )
    log_every: int = Field(default=20, ge=1, description="steps between log records, each the mean of its steps")
    save_every: int = Field(default=250, ge=1, description="steps between checkpoints")
    validate_every: int = Field(default=0, ge=0, description="steps between validations; 0 never validates")
    max_minutes: float = Field(default=0.0, ge=0, description="minutes after which to save and stop; 0 has no limit")
    tensorboard: bool = Field(default=True, description="also write TensorBoard event files")


@dataclass(frozen=True, slots=True, config=_STRICT)
class TrainConfig:
    """Everything that determines a training run.

    ``network.num_classes`` is set from the labels, or from the initial checkpoint.
    """

    network: NetworkConfig = Field(default_factory=lambda: NetworkConfig(Architecture.FCN8S, learned_upsampling=False))
    start: StartConfig = Field(default_factory=StartConfig)
    data: DataConfig = Field(default_factory=DataConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    loss: LossConfig = Field(default_factory=LossConfig)
    run: RunConfig = Field(default_factory=RunConfig)

    def document(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        document: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "TrainConfig":
        """Build from nested mappings; missing settings keep their defaults.

        Raises:
            ConfigError: settings are unknown, of the wrong type or out of range; the message names all of them.
        """
        try:
            return _ADAPTER.validate_python(document)
        except ValidationError as error:
            raise ConfigError("; ".join(_sentence(fault) for fault in error.errors())) from error
        except SegmentationError as error:
            raise ConfigError(f"network: {error}") from error


def _sentence(fault: ErrorDetails) -> str:
    name, message = ".".join(str(part) for part in fault["loc"]), fault["msg"]
    match fault["type"]:
        case "unexpected_keyword_argument":
            return f"{name}: there is no such setting"
        case "value_error":
            return f"{name}: {fault['ctx']['error']}"
        case _ if message.startswith("Input should"):
            return f"{name}: {message.removeprefix('Input ').split(', unable')[0]}, not {fault['input']!r}"
        case _:
            return f"{name}: {message}"


_ADAPTER = TypeAdapter(TrainConfig)
