"""Settings of a training run; saved into the checkpoint."""

from dataclasses import dataclass

from training.errors import ConfigError


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a network is trained.

    Attributes:
        steps: number of optimiser steps.
        crop_size: side of the square crops, a multiple of 32.
        min_scale, max_scale: range of the random scale before the crop.
        color_jitter: greatest relative change of brightness, contrast and saturation.
        learning_rate: of the backbone, for the mean loss; falls to 0 by ``(1 - step / steps) ** 0.9`` ("poly").
        head_learning_rate: of everything else.
        momentum, weight_decay: of SGD; biases and batch-norm are not decayed.
        warmup_steps: over which the learning rate rises from 0.
        ema_decay: of the running average of the weights that is saved; 0 saves the last weights.
        frozen_stages: backbone stages that keep their weights and statistics: 0 none, 1 the stem, 2 layer1 too, ...
        bfloat16: compute convolutions in bfloat16.
        workers: processes that load data.
        seed: of initialisation, order and transforms.
        log_every, save_every: in steps.

    Raises:
        ConfigError: a value is out of its range.
    """

    steps: int = 4000
    crop_size: int = 320
    min_scale: float = 0.5
    max_scale: float = 1.5
    color_jitter: float = 0.2
    learning_rate: float = 0.01
    head_learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    ema_decay: float = 0.998
    frozen_stages: int = 0
    bfloat16: bool = False
    workers: int = 2
    seed: int = 0
    log_every: int = 20
    save_every: int = 250

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps must be at least 1, not {self.steps}")
        if self.crop_size < 32 or self.crop_size % 32:
            raise ConfigError(f"crop_size must be a multiple of 32, not {self.crop_size}")
        if not 0 < self.min_scale <= self.max_scale:
            raise ConfigError(f"scales must be 0 < min <= max, not {self.min_scale} and {self.max_scale}")
        if not 0 <= self.color_jitter < 1:
            raise ConfigError(f"color_jitter must be in 0..1, not {self.color_jitter}")
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(f"ema_decay must be in 0..1, not {self.ema_decay}")
        if not 0 <= self.frozen_stages <= 5:
            raise ConfigError(f"frozen_stages must be in 0..5, not {self.frozen_stages}")
        if min(self.learning_rate, self.head_learning_rate) <= 0:
            raise ConfigError("learning rates must be above 0")
        if min(self.momentum, self.weight_decay, self.warmup_steps, self.workers) < 0:
            raise ConfigError("momentum, weight_decay, warmup_steps and workers must not be negative")
        if self.log_every < 1 or self.save_every < 1:
            raise ConfigError("log_every and save_every must be at least 1")
