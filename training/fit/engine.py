"""The training loop."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import torch
from rich.progress import MofNCompleteColumn, TextColumn
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.checkpoint import Checkpoint, Summary
from model.labels import Labels
from model.networks import FCN, NetworkConfig
from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing
from model.segmenter import Segmenter
from training.config import TrainConfig
from training.data.batches import BatchSampler, Source, batches
from training.data.dataset import VocDataset
from training.data.transforms import Crop, JointTransform
from training.errors import ConfigError, DivergedError
from training.evaluation.evaluation import evaluate
from training.fit.auxiliary import AuxiliaryHead, Scorer
from training.fit.compilation import require_compilation
from training.fit.criterion import Criterion
from training.fit.distributed import Processes
from training.fit.divergence import DivergenceGuard
from training.fit.interruption import Interruption
from training.fit.mean_metrics import MeanMetrics
from training.fit.memory_format import training_memory_format
from training.fit.metric_logger import MetricLogger
from training.fit.optimization import build_optimizer, build_scheduler, freeze, lr_lambda
from training.fit.state import RunState
from training.progress import bar, tell

STATE_NAME = "state.pt"
"""Name of the file in a run's folder that ``resume`` reads."""


class Ending(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"
    OUT_OF_TIME = "out of time"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a run.

    Attributes:
        ending: reason why the run ended.
        step: number of steps done, including those before a resume.
        wait_share: share of the time spent waiting for data, 0..1.
    """

    ending: Ending
    step: int
    wait_share: float


class Trainer:
    """Trains a network and regularly saves checkpoints.

    Args:
        network: network on the CPU, trained in place.
        network_config: configuration that the network was built from.
        labels: classes of the network.
        sources: data sets; each batch consists of ``per_batch`` samples of each.
        config: settings of the run.
        folder: folder for ``last.safetensors`` (to evaluate, predict, export), ``best.safetensors`` (by validation),
            ``state.pt`` (to resume), ``log.jsonl`` and ``curves.png``; created if missing.
        device: device to train on.
        preprocessing: preprocessing of the network's input; saved in the checkpoint.
        validation: data set scored during training, or None.
        processes: the distributed process group.

    Raises:
        ConfigError: the configuration cannot be used with this network.
    """

    def __init__(
        self,
        network: FCN,
        network_config: NetworkConfig,
        labels: Labels,
        sources: Sequence[Source],
        config: TrainConfig,
        folder: Path,
        device: torch.device,
        *,
        preprocessing: Preprocessing = DEFAULT_PREPROCESSING,
        validation: VocDataset | None = None,
        processes: Processes = Processes(),  # noqa: B008 (frozen)
    ) -> None:
        if config.loss.pixel_stride > 1 and network_config.learned_upsampling:
            raise ConfigError("loss.pixel_stride needs network.learned_upsampling = false")
        self._network = network
        self._network_config = network_config
        self._labels = labels
        self._sources = sources
        self._config = config
        self._folder = folder
        self._device = device
        self._preprocessing = preprocessing
        self._validation = validation
        self._processes = processes
        self._step = 0
        self._best_miou = 0.0
        self._guard = DivergenceGuard(len(labels))

        channels = 4 * network_config.width
        self._auxiliary = AuxiliaryHead(channels, len(labels)) if config.loss.auxiliary else None
        scorer = Scorer(network, self._auxiliary)
        memory_format = training_memory_format(scorer, device)
        scorer.to(device, memory_format=memory_format)  # type: ignore[call-overload]
        self._scorer: nn.Module = scorer
        self._frozen = freeze(network, config.optimizer)
        self._average = _running_average(network, config.optimizer.ema_decay) if config.optimizer.ema_decay else None
        self._optimizer = build_optimizer(network, self._auxiliary, config.optimizer)
        self._scheduler = build_scheduler(self._optimizer, config.optimizer, config.run.steps)
        if config.run.compile:
            require_compilation()
            self._scorer = cast("nn.Module", torch.compile(self._scorer))
        if processes.count > 1:
            if config.run.sync_batch_norm and device.type == "cuda":
                self._scorer = nn.SyncBatchNorm.convert_sync_batchnorm(self._scorer)  # type: ignore[no-untyped-call]
            # Without synchronisation, each process keeps its own batch-norm statistics; the main process's are saved.
            self._scorer = DistributedDataParallel(self._scorer, broadcast_buffers=False)
        self._criterion = Criterion(
            config.loss,
            self._scorer,
            network,
            preprocessing,
            device,
            memory_format,
            bfloat16=config.run.bfloat16,
            seed=config.run.seed,
            processes=processes,
        )

    @property
    def checkpoint_file(self) -> Path:
        """Path of the newest checkpoint."""
        return self._folder / "last.safetensors"

    @property
    def state_file(self) -> Path:
        """Path of the file that ``resume`` reads."""
        return self._folder / STATE_NAME

    def resume(self) -> None:
        """Load the state of the run in the folder.

        Raises:
            ResumeError: the folder holds no run, or one with other settings.
        """
        state = RunState.load(self.state_file)
        state.require_same(self._config)
        for name, part in self._parts().items():
            part.load_state_dict(state.tensors[name])
        self._step = state.step
        self._best_miou = state.tensors["best_miou"]

    def train(self) -> Outcome:
        """Run all remaining steps.

        Raises:
            DivergedError: the loss became infinite, not a number, or exploded; earlier checkpoints are kept.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        run = self._config.run
        ending = Ending.FINISHED
        waited_s = 0.0
        saved = self._step if self.state_file.is_file() else None
        with (
            MetricLogger(
                self._folder, self._step, tensorboard=run.tensorboard, writes=self._processes.is_main_process
            ) as logger,
            Interruption() as interruption,
            bar(
                MofNCompleteColumn(), TextColumn("{task.fields[values]}"), is_shown=self._processes.is_main_process
            ) as progress,
        ):
            task = progress.add_task("training", total=run.steps, completed=self._step, values="")
            means = MeanMetrics()
            waiting_since = time.monotonic()
            for crops in self._loader():
                waited_s += time.monotonic() - waiting_since
                values = self._update_or_stop(crops, saved)
                means.update(values)
                progress.update(task, advance=1, values=_line(values))
                if self._step % run.log_every == 0:
                    record = {**means.compute(), "learning_rate": values["learning_rate"]}
                    logger.write(self._step, {**record, "seconds": time.monotonic() - started})
                    tell(progress, f"step {self._step}/{run.steps}: {_line(record)}")
                    means.reset()
                if run.validate_every and self._step % run.validate_every == 0:
                    self._validate(logger)
                is_late = 0 < run.max_minutes <= (time.monotonic() - started) / 60
                early = self._early_ending(is_late=is_late, is_interrupted=interruption.signal is not None)
                if early is not None and self._step < run.steps:
                    ending = early
                    break
                if self._step % run.save_every == 0:
                    self._save(logger)
                    saved = self._step
                waiting_since = time.monotonic()
            if saved != self._step:
                self._save(logger)
        return Outcome(ending, self._step, waited_s / (time.monotonic() - started))

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint to save, with the weights' moving average if there is one."""
        network: nn.Module = self._network if self._average is None else self._average.module
        trained_on = ", ".join(
            f"{source.dataset.root.name} {source.dataset.split} ({len(source.dataset)} images)"
            for source in self._sources
        )
        return Checkpoint(
            config=self._network_config,
            labels=self._labels,
            weights={name: weight.detach().cpu().clone() for name, weight in network.state_dict().items()},
            preprocessing=self._preprocessing,
            summary=Summary(
                name=self._network_config.architecture.value,
                trained_on=trained_on,
                training={**self._config.document(), "step": self._step},
            ),
        )

    def _loader(self) -> "torch.utils.data.DataLoader[Crop]":
        data, run = self._config.data, self._config.run
        transform = JointTransform(
            data.crop_size,
            data.min_scale,
            data.max_scale,
            data.color_jitter,
            data.flip,
            self._preprocessing,
            self._network.stride,
            len(self._labels),
            data.max_class_share,
        )
        processes = self._processes
        sampler = BatchSampler(self._sources, run.seed, self._step, run.steps, processes.rank, processes.count)
        return batches(
            self._sources,
            sampler,
            transform,
            data.workers,
            copy_paste=data.copy_paste,
            pin_memory=self._device.type == "cuda",
        )

    def _update_or_stop(self, crops: Crop, saved: int | None) -> dict[str, float]:
        try:
            values = self._update(crops)
            self._guard.watch(values["loss"])
        except DivergedError as error:
            last = "none was saved" if saved is None else f"{self.checkpoint_file} of step {saved}"
            raise DivergedError(f"{error} at step {self._step}; last good checkpoint: {last}") from error
        return values

    def _update(self, crops: Crop) -> dict[str, float]:
        """Do one step; return its losses, accuracy and learning rate."""
        config = self._config.optimizer
        self._scorer.train()
        for module in self._frozen:
            module.eval()
        learning_rate = config.learning_rate * lr_lambda(config, self._config.run.steps, self._step)
        measured = self._criterion.measure(crops, self._step)
        self._step += 1
        self._optimizer.zero_grad(set_to_none=True)
        measured.total.backward()  # type: ignore[no-untyped-call]
        if config.clip_norm:
            nn.utils.clip_grad_norm_(self._scorer.parameters(), config.clip_norm)
        self._optimizer.step()
        self._scheduler.step()
        if self._average is not None:
            self._average.update_parameters(self._network)
        parts = {**measured.parts, "accuracy": measured.accuracy}
        means = self._processes.means(torch.stack([part.detach().double() for part in parts.values()]))
        return {**dict(zip(parts, means, strict=True)), "learning_rate": learning_rate}

    def _early_ending(self, *, is_late: bool, is_interrupted: bool) -> Ending | None:
        """Combine what all processes see, so that they stop after the same step and for the same reason."""
        if self._processes.count > 1:
            flags = torch.tensor([float(is_late), float(is_interrupted)], device=self._device)
            is_late, is_interrupted = (share > 0 for share in self._processes.means(flags))
        if is_interrupted:
            return Ending.INTERRUPTED
        return Ending.OUT_OF_TIME if is_late else None

    def _validate(self, logger: MetricLogger) -> None:
        if self._validation is None or not self._processes.is_main_process:
            return
        checkpoint = self.checkpoint()
        scores = evaluate(Segmenter(checkpoint, str(self._device)), self._validation)
        logger.write(self._step, {"val_accuracy": scores.pixel_accuracy, "val_miou": scores.miou})
        if scores.miou >= self._best_miou:
            self._best_miou = scores.miou
            checkpoint.save(self._folder / "best.safetensors")

    def _save(self, logger: MetricLogger) -> None:
        checkpoint = self.checkpoint()
        if not all(bool(torch.isfinite(weight).all()) for weight in checkpoint.weights.values()):
            raise DivergedError(
                f"weights are not finite after step {self._step}; nothing was saved since the last checkpoint"
            )
        if not self._processes.is_main_process:
            return
        tensors: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        RunState(self._config, self._step, {**tensors, "best_miou": self._best_miou}).save(self.state_file)
        checkpoint.save(self.checkpoint_file)
        logger.draw()

    def _parts(self) -> dict[str, Any]:
        """Return all objects whose state the next step depends on, by name."""
        parts = {
            "network": self._network,
            "auxiliary": self._auxiliary,
            "average": self._average,
            "optimizer": self._optimizer,
            "scheduler": self._scheduler,
        }
        return {name: part for name, part in parts.items() if part is not None}


def _line(values: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.3g}" for name, value in values.items())


def _running_average(network: FCN, decay: float) -> AveragedModel:
    average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
