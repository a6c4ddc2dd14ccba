import pytest
import torch

from model.networks import FCN, Architecture, NetworkConfig, build_network
from training.config import LRSchedule, OptimizerConfig, OptimizerName
from training.fit.auxiliary import AuxiliaryHead
from training.fit.optimization import build_optimizer, build_scheduler, freeze, lr_lambda


def _network() -> FCN:
    torch.manual_seed(0)
    return build_network(NetworkConfig(Architecture.FCN8S, num_classes=3, width=4))


def _factors(steps: int, **settings: object) -> list[float]:
    config = OptimizerConfig(**settings)  # type: ignore[arg-type]
    return [lr_lambda(config, steps, step) for step in range(steps)]


def test_the_poly_schedule_by_hand() -> None:
    factors = _factors(100, warmup_steps=0)
    assert factors[0] == 1
    assert factors[25] == pytest.approx(0.75**0.9)
    assert factors[50] == pytest.approx(0.5358867)
    assert factors[99] == pytest.approx(0.01**0.9)
    assert factors == sorted(factors, reverse=True)


def test_the_cosine_schedule_by_hand() -> None:
    factors = _factors(100, warmup_steps=0, lr_schedule=LRSchedule.COSINE)
    assert factors[0] == 1
    assert factors[25] == pytest.approx(0.5 + 0.25 * 2**0.5)
    assert factors[50] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(0.00024672)
    assert factors == sorted(factors, reverse=True)


def test_a_constant_rate_stays() -> None:
    assert _factors(5, warmup_steps=0, lr_schedule=LRSchedule.CONSTANT) == [1] * 5


@pytest.mark.parametrize("schedule", list(LRSchedule))
def test_the_learning_rate_rises_linearly_before_it_falls(schedule: LRSchedule) -> None:
    falling, factors = (
        _factors(100, warmup_steps=0, lr_schedule=schedule),
        _factors(100, warmup_steps=10, lr_schedule=schedule),
    )
    assert factors[0] == pytest.approx(0.1)
    assert factors[4] == pytest.approx(0.5 * falling[4])
    assert factors[9:] == falling[9:]


def test_the_learning_rate_never_falls_below_zero() -> None:
    assert lr_lambda(OptimizerConfig(warmup_steps=0), 5, 7) == 0


def test_every_group_follows_the_schedule_from_its_own_greatest_rate() -> None:
    config = OptimizerConfig(learning_rate=0.1, head_learning_rate=0.4, stem_learning_rate=0.01, warmup_steps=2)
    optimizer = build_optimizer(_network(), None, config)
    scheduler = build_scheduler(optimizer, config, steps=8)
    for step in range(8):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == [rate * lr_lambda(config, 8, step) for rate in (0.01, 0.01, 0.1, 0.1, 0.4, 0.4)]
        optimizer.step()
        scheduler.step()


def test_stem_and_first_stage_learn_at_their_own_rate_if_there_is_one() -> None:
    network = _network()
    early = {
        id(parameter)
        for part in (network.backbone.conv1, network.backbone.bn1, network.backbone.layer1)
        for parameter in part.parameters()
    }
    backbone = {id(parameter) for parameter in network.backbone.parameters()}
    for stem_rate, expected in ((0.01, 0.01), (0.0, 0.1)):
        config = OptimizerConfig(learning_rate=0.1, head_learning_rate=0.4, stem_learning_rate=stem_rate)
        groups = build_optimizer(network, None, config).param_groups
        rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
        assert {rates[name] for name in early} == {expected}
        assert {rates[name] for name in backbone - early} == {0.1}
        assert {rate for name, rate in rates.items() if name not in backbone} == {0.4}


def test_adamw_is_the_other_optimizer() -> None:
    optimizer = build_optimizer(_network(), None, OptimizerConfig(name=OptimizerName.ADAMW, weight_decay=0.02))
    assert isinstance(optimizer, torch.optim.AdamW)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.02, 0] * 3


def test_an_auxiliary_head_learns_with_the_head() -> None:
    head = AuxiliaryHead(16, 3)
    optimizer = build_optimizer(_network(), head, OptimizerConfig(head_learning_rate=0.4))
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    assert {rates[id(parameter)] for parameter in head.parameters()} == {0.4}


def test_kernels_decay_and_biases_and_norms_do_not() -> None:
    network = _network()
    config = OptimizerConfig(learning_rate=0.01, head_learning_rate=0.2, weight_decay=0.3)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    optimizer = build_optimizer(network, None, config)
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
    freeze(network, OptimizerConfig(frozen_stages=stages))
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert first_trained in trained[0]
    everything = [name for name, _ in network.named_parameters()]
    assert trained == everything[everything.index(trained[0]) :]
    groups = build_optimizer(network, None, OptimizerConfig()).param_groups
    assert sum(len(group["params"]) for group in groups) == len(trained)
    assert all(group["params"] for group in groups)


def test_frozen_batch_norm_is_all_of_the_backbone_and_learns_nothing() -> None:
    network = _network()
    frozen = freeze(network, OptimizerConfig(freeze_batch_norm=True))
    norms = [module for module in network.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert frozen == norms
    assert not any(parameter.requires_grad for norm in norms for parameter in norm.parameters())
    assert network.backbone.conv1.weight.requires_grad


def test_frozen_upsampling_keeps_its_kernels() -> None:
    network = _network()
    freeze(network, OptimizerConfig(freeze_upsampling=True))
    assert {name for name, parameter in network.named_parameters() if not parameter.requires_grad} == {
        f"{layer}.{kind}"
        for layer in ("upsampling", "upsampling2_layer4", "upsampling2_layer3")
        for kind in ("weight", "bias")
    }
