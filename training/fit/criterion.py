"""The criterion of a step: from a batch of crops to the loss that is minimised."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from model.labels import IGNORE_INDEX
from model.networks import FCN
from model.preprocessing import Preprocessing
from training.config import LossConfig
from training.data.transforms import Crop
from training.fit.auxiliary import STRIDE as AUXILIARY_STRIDE
from training.fit.distributed import Processes
from training.fit.losses import distillation_losses, hard_example_losses, lovasz_loss, pixel_losses, sampled_logits


@dataclass(frozen=True, slots=True)
class Measured:
    """A batch's losses.

    Attributes:
        total: weighted sum that is minimised.
        parts: each loss by name, unweighted; ``loss`` is the cross-entropy.
        accuracy: share of the known pixels whose class is predicted correctly.
    """

    total: Tensor
    parts: dict[str, Tensor]
    accuracy: Tensor


class Criterion:
    """Cross-entropy of the known pixels, plus the optional losses of the configuration.

    With several processes, every mean is over the pixels of all processes; the Lovász-softmax loss is one of processes.

    Args:
        config: losses and their weights.
        scorer: module that returns the network's scores, and the auxiliary head's or None: ``Scorer``, or a wrapper.
        network: the network inside the scorer.
        preprocessing: preprocessing of the network.
        device: device of the network.
        memory_format: memory format of the network, and of images.
        bfloat16: whether convolutions are computed in bfloat16.
        seed: random seed for the choice of pixels.
        processes: the distributed process group.
    """

    def __init__(
        self,
        config: LossConfig,
        scorer: nn.Module,
        network: FCN,
        preprocessing: Preprocessing,
        device: torch.device,
        memory_format: torch.memory_format,
        *,
        bfloat16: bool,
        seed: int,
        processes: Processes,
    ) -> None:
        self._config = config
        self._scorer = scorer
        self._network = network
        self._preprocessing = preprocessing
        self._device = device
        self._memory_format = memory_format
        self._bfloat16 = bfloat16
        self._seed = seed
        self._processes = processes

    def measure(self, crops: Crop, step: int) -> Measured:
        """Compute the losses of a step's batch; they depend only on the arguments and the weights."""
        images = crops.image.to(self._device, non_blocking=True).contiguous(memory_format=self._memory_format)
        masks = crops.mask.to(self._device, non_blocking=True).long()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            scores, auxiliary = self._scorer(self._preprocessing(images))
        scores = scores.float()
        stride, (top, left) = self._config.pixel_stride, self._first_pixel(step)
        masks = masks[:, top::stride, left::stride]
        known = masks != IGNORE_INDEX
        logits = self._logits(scores, top, left)
        parts = {"loss": self._mean_of_hard_example_losses(pixel_losses(logits, masks), known)}
        total = parts["loss"]
        if auxiliary is not None:
            enlarged = sampled_logits(auxiliary.float(), AUXILIARY_STRIDE, stride, top, left)
            parts["auxiliary"] = self._mean_of_hard_example_losses(pixel_losses(enlarged, masks), known)
            total = total + self._config.auxiliary * parts["auxiliary"]
        if self._config.lovasz:
            parts["lovasz"] = self._mean(lovasz_loss(logits, masks), known.any())
            total = total + self._config.lovasz * parts["lovasz"]
        if self._config.distillation:
            soft_labels = crops.soft_labels.to(self._device, non_blocking=True)
            parts["distillation"] = self._mean(distillation_losses(scores, soft_labels), soft_labels.sum())
            total = total + self._config.distillation * parts["distillation"]
        right = (logits.detach().argmax(dim=1) == masks) & known
        return Measured(total, parts, self._mean(right.float(), known.sum()))

    def _first_pixel(self, step: int) -> tuple[int, int]:
        """Draw the row and column of the first pixel whose loss counts."""
        place = torch.Generator().manual_seed(self._seed * 1_000_003 + step)
        top, left = torch.randint(self._config.pixel_stride, (2,), generator=place).tolist()
        return top, left

    def _logits(self, scores: Tensor, top: int, left: int) -> Tensor:
        if self._config.pixel_stride == 1:
            return cast("Tensor", self._network.upsampling(scores))
        return sampled_logits(scores, self._network.stride, self._config.pixel_stride, top, left)

    def _mean_of_hard_example_losses(self, losses: Tensor, known: Tensor) -> Tensor:
        if self._config.ohem_fraction == 1:
            return self._mean(losses, known.sum())
        kept = hard_example_losses(losses, known, self._config.ohem_fraction)
        return self._mean(kept, torch.full((), len(kept), device=losses.device))

    def _mean(self, values: Tensor, count: Tensor) -> Tensor:
        """Sum over the ``count`` of all processes, times their number because gradients will be averaged."""
        return values.sum() * self._processes.count / self._processes.total(count.float()).clamp(min=1)
