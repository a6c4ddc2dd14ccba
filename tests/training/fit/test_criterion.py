import pytest
import torch

from model.labels import IGNORE_INDEX
from model.networks import Architecture, NetworkConfig, build_network
from model.preprocessing import DEFAULT_PREPROCESSING
from training.config import LossConfig
from training.data.transforms import Crop
from training.fit.auxiliary import AuxiliaryHead, Scorer
from training.fit.criterion import Criterion
from training.fit.distributed import Processes

CLASSES = 4


def _crops() -> Crop:
    random = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (2, 3, 64, 64), generator=random, dtype=torch.uint8)
    mask = torch.randint(0, CLASSES, (2, 64, 64), generator=random, dtype=torch.uint8)
    mask[0, :16] = IGNORE_INDEX
    return Crop(image, mask, torch.rand(2, CLASSES, 8, 8, generator=random))


@pytest.mark.parametrize("weights", [{"lovasz": 0.5}, {"auxiliary": 0.4, "distillation": 2.0}, {}])
def test_the_total_is_the_sum_of_the_weighted_losses(weights: dict[str, float]) -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(Architecture.FCN8S, CLASSES, (1, 1, 1, 1), 8))
    criterion = Criterion(
        LossConfig(**weights),  # type: ignore[arg-type]
        Scorer(network, AuxiliaryHead(32, CLASSES) if "auxiliary" in weights else None),
        network,
        DEFAULT_PREPROCESSING,
        torch.device("cpu"),
        torch.contiguous_format,
        bfloat16=False,
        seed=0,
        processes=Processes(),
    )
    measured = criterion.measure(_crops(), 0)
    assert measured.parts.keys() == {"loss", *weights}
    assert all(part > 0 for part in measured.parts.values())
    expected = measured.parts["loss"] + sum(weight * measured.parts[name] for name, weight in weights.items())
    torch.testing.assert_close(measured.total, expected)
