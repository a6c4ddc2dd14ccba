"""The training loop."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from model.checkpoint import Checkpoint, Summary
from model.labels import IGNORE_INDEX, Labels
from model.networks import FCN, NetworkConfig
from model.preprocessing import DEFAULT_PREPROCESSING, Preprocessing
from training.batches import Source, batches
from training.config import TrainConfig
from training.errors import DivergedError
from training.optimization import build_optimizer, build_schedule, freeze_stages
from training.transforms import JointTransform


class Trainer:
    """Trains a network and writes its checkpoint as it goes.

    Args:
        network: on the CPU; trained in place.
        network_config: what it was built from.
        labels: its classes.
        sources: data sets; each batch is made of ``per_batch`` samples of each.
        config: how to train.
        folder: for ``last.safetensors`` and ``log.jsonl``; made if missing.
        device: to train on.
        preprocessing: what the network reads; saved with it.
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
        preprocessing: Preprocessing = DEFAULT_PREPROCESSING,
    ) -> None:
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._frozen = freeze_stages(network, config.frozen_stages)
        average = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)
        self._optimizer = build_optimizer(network, config)
        self._schedule = build_schedule(self._optimizer, config)
        self._network_config = network_config
        self._labels = labels
        self._preprocessing = preprocessing
        self._sources = sources
        self._config = config
        self._folder = folder
        self._device = device

    @property
    def checkpoint_file(self) -> Path:
        return self._folder / "last.safetensors"

    def train(self) -> Checkpoint:
        """Run all steps; returns the last checkpoint, which is also on disk.

        Raises:
            DivergedError: the loss became infinite or not a number.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        loader = batches(
            self._sources, self._transform(), self._config.seed, 0, self._config.steps, self._config.workers
        )
        with (self._folder / "log.jsonl").open("a") as log, tqdm(loader, unit="step") as progress:
            started = waiting_since = time.monotonic()
            waited_s = 0.0
            for step, (images, masks) in enumerate(progress, start=1):
                waited_s += time.monotonic() - waiting_since
                loss, accuracy = self._step(images, masks)
                if not math.isfinite(loss):
                    saved = self.checkpoint_file if step > self._config.save_every else "none"
                    raise DivergedError(f"the loss is {loss} at step {step}; last checkpoint: {saved}")
                progress.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}", refresh=False)
                if step % self._config.log_every == 0:
                    record = {"step": step, "loss": loss, "accuracy": accuracy, "seconds": time.monotonic() - started}
                    print(json.dumps(record), file=log, flush=True)
                if step % self._config.save_every == 0:
                    self._checkpoint(step).save(self.checkpoint_file)
                waiting_since = time.monotonic()
            print(f"waited for data {waited_s / (time.monotonic() - started):.1%} of the time")
        checkpoint = self._checkpoint(self._config.steps)
        checkpoint.save(self.checkpoint_file)
        return checkpoint

    def _step(self, images: Tensor, masks: Tensor) -> tuple[float, float]:
        """One update: loss and pixel accuracy of its batch."""
        self._network.train()
        for module in self._frozen:
            module.eval()
        images = images.to(self._device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        masks = masks.to(self._device, non_blocking=True).long()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._config.bfloat16):
            scores = self._network.scores(self._preprocessing(images))
        logits = self._network.upsampling(scores.float())
        loss = functional.cross_entropy(logits, masks, ignore_index=IGNORE_INDEX, reduction="sum")
        known = masks != IGNORE_INDEX
        loss = loss / known.sum().clamp(min=1)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()
        self._average.update_parameters(self._network)
        right = (logits.detach().argmax(dim=1) == masks) & known
        return loss.item(), (right.sum() / known.sum().clamp(min=1)).item()

    def _transform(self) -> JointTransform:
        config = self._config
        return JointTransform(
            config.crop_size, config.min_scale, config.max_scale, config.color_jitter, self._preprocessing
        )

    def _checkpoint(self, step: int) -> Checkpoint:
        network: nn.Module = self._average.module if self._config.ema_decay else self._network
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
                training={**asdict(self._config), "step": step, "per_batch": [s.per_batch for s in self._sources]},
            ),
        )
