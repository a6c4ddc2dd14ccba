"""A training step's losses on a simulated GPU: no operation mixes devices."""

import pytest
import torch

from model.networks import Architecture, NetworkConfig, build_network
from model.preprocessing import DEFAULT_PREPROCESSING
from tests.model.fake_cuda import CUDA, fake_cuda, on_fake_cuda
from training.config import LossConfig
from training.data.transforms import Crop
from training.fit.auxiliary import AuxiliaryHead, Scorer
from training.fit.criterion import Criterion
from training.fit.distributed import Processes

CLASSES = 4


@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize(
    "losses",
    [
        LossConfig(),
        LossConfig(pixel_stride=4, auxiliary=0.4, distillation=1.0),
        LossConfig(ohem_fraction=0.5),
    ],
)
def test_losses_stay_on_the_device(
    architecture: Architecture, losses: LossConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is drawn at random on the CPU, but a fake tensor has no values.
    monkeypatch.setattr(Criterion, "_first_pixel", lambda *_: (0, 0))
    network = build_network(NetworkConfig(architecture, CLASSES, (1, 1, 1, 1), 4))
    scorer = Scorer(network, AuxiliaryHead(16, CLASSES) if losses.auxiliary else None)
    with fake_cuda():
        on_fake_cuda(scorer)
        criterion = Criterion(
            losses,
            scorer,
            network,
            DEFAULT_PREPROCESSING,
            CUDA,
            torch.channels_last,
            bfloat16=False,
            seed=0,
            processes=Processes(),
        )
        cells = 64 // network.stride
        crops = Crop(
            torch.zeros(2, 3, 64, 64, dtype=torch.uint8),
            torch.zeros(2, 64, 64, dtype=torch.uint8),
            torch.zeros(2, CLASSES, cells, cells),
        )
        measured = criterion.measure(crops, 0)
    assert measured.total.device == measured.accuracy.device == CUDA
    assert measured.total.requires_grad
