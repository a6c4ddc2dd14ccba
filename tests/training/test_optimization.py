import pytest
import torch

from model.networks import FCN, Architecture, NetworkConfig, build_network
from training.config import TrainConfig
from training.optimization import build_optimizer, build_schedule, freeze_stages


def _network() -> FCN:
    torch.manual_seed(0)
    return build_network(NetworkConfig(Architecture.FCN8S, num_classes=3, width=4))


def _rates(config: TrainConfig, steps: int) -> list[float]:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = build_schedule(optimizer, config)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return rates


def test_the_poly_rule_by_hand() -> None:
    rates = _rates(TrainConfig(steps=100, warmup_steps=0), 100)
    assert rates[0] == 1
    assert rates[25] == pytest.approx(0.75**0.9)
    assert rates[50] == pytest.approx(0.5358867)
    assert rates[99] == pytest.approx(0.01**0.9)
    assert rates == sorted(rates, reverse=True)


def test_the_learning_rate_rises_linearly_before_it_falls() -> None:
    rates = _rates(TrainConfig(steps=100, warmup_steps=10), 12)
    assert rates[0] == pytest.approx(0.1)
    assert rates[4] == pytest.approx(0.5 * 0.96**0.9)
    assert rates[9] == pytest.approx(0.91**0.9)
    assert rates[11] == pytest.approx(0.89**0.9)
    assert rates[:9] == sorted(rates[:9])


def test_the_learning_rate_never_falls_below_zero() -> None:
    assert _rates(TrainConfig(steps=3, warmup_steps=0), 6)[3:] == [0, 0, 0]


def test_kernels_decay_and_biases_and_norms_do_not() -> None:
    network = _network()
    config = TrainConfig(learning_rate=0.01, head_learning_rate=0.2, weight_decay=0.3)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    optimizer = build_optimizer(network, config)
    settings = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert settings.keys() == set(names.values())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(names)
    assert settings["backbone.conv1.weight"] == (0.01, 0.3)
    assert settings["backbone.layer4.0.downsample.0.weight"] == (0.01, 0.3)
    assert settings["backbone.bn1.weight"] == settings["backbone.layer2.0.bn1.bias"] == (0.01, 0)
    assert settings["classifier.weight"] == settings["skip_layer2.weight"] == (0.2, 0.3)
    assert settings["upsampling.weight"] == (0.2, 0.3)
    assert settings["classifier.bias"] == settings["skip_layer3.bias"] == (0.2, 0)


@pytest.mark.parametrize(
    ("stages", "first_trained"),
    [(0, "conv1"), (1, "layer1"), (2, "layer2"), (3, "layer3"), (4, "layer4"), (5, "classifier")],
)
def test_frozen_stages_are_the_first_ones_and_are_left_out_of_the_optimizer(stages: int, first_trained: str) -> None:
    network = _network()
    freeze_stages(network, stages)
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert first_trained in trained[0]
    everything = [name for name, _ in network.named_parameters()]
    assert trained == everything[everything.index(trained[0]) :]
    groups = build_optimizer(network, TrainConfig()).param_groups
    assert sum(len(group["params"]) for group in groups) == len(trained)
    assert all(group["params"] for group in groups)
