import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models import resnet18

from model.errors import NetworkError
from model.networks import Architecture, NetworkConfig, build_network
from model.networks.fcn8s import FCN8s
from model.networks.fcn8s_context import twice
from model.networks.fcn16s import FCN16s
from model.networks.resnet import Blocks, ResNet
from model.upsampling import BilinearUpsampling, LearnedUpsampling, bilinear_kernel


@pytest.mark.parametrize(
    ("architecture", "stride", "grid"),
    [
        (Architecture.FCN32S, 32, (10, 15)),
        (Architecture.FCN16S, 16, (20, 30)),
        (Architecture.FCN8S, 8, (40, 60)),
        (Architecture.FCN8S_CONTEXT, 8, (40, 60)),
        (Architecture.FCN4S_CONTEXT, 4, (80, 120)),
    ],
)
def test_shapes_are_the_books(architecture: Architecture, stride: int, grid: tuple[int, int]) -> None:
    network = build_network(NetworkConfig(architecture, width=4, learned_upsampling=False)).eval()
    images = torch.zeros(1, 3, 320, 480)
    with torch.inference_mode():
        features = network.backbone(images)
        scores = network.scores(images)
        logits = network(images)
    assert [tuple(feature.shape) for feature in features] == [
        (1, 4, 80, 120),
        (1, 8, 40, 60),
        (1, 16, 20, 30),
        (1, 32, 10, 15),
    ]
    assert network.stride == stride
    assert scores.shape == (1, 21, *grid)
    assert logits.shape == (1, 21, 320, 480)


def test_the_default_is_the_books_network() -> None:
    network = build_network(NetworkConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == 12_993_621 + 21
    assert isinstance(network.upsampling, LearnedUpsampling)
    assert network.upsampling.weight.shape == (21, 21, 64, 64)
    assert network.classifier.weight.shape == (21, 512, 1, 1)
    assert network.training


def test_the_classifier_starts_by_xaviers_rule() -> None:
    network = build_network(NetworkConfig(width=8))
    bound = math.sqrt(6 / (64 + 21))
    largest = network.classifier.weight.abs().max().item()
    assert 0.95 * bound < largest <= bound


@pytest.mark.parametrize("architecture", list(Architecture))
def test_transposed_convolutions_start_bilinear(architecture: Architecture) -> None:
    network = build_network(NetworkConfig(architecture, num_classes=5, width=4))
    kernels = [module for module in network.modules() if isinstance(module, LearnedUpsampling)]
    number = {Architecture.FCN16S: 2, Architecture.FCN8S: 3}
    assert len(kernels) == number.get(architecture, 1)
    for module in kernels:
        assert torch.equal(module.weight, bilinear_kernel(5, 5, 2 * module.factor))


def test_fixed_upsampling_has_nothing_to_train() -> None:
    network = build_network(NetworkConfig(Architecture.FCN8S, width=4, learned_upsampling=False))
    assert isinstance(network.upsampling, BilinearUpsampling)
    assert not [name for name in network.state_dict() if "upsampling" in name]


def test_skips_start_at_zero_so_that_the_finer_networks_start_as_the_coarse_one() -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(Architecture.FCN8S, num_classes=3, width=4, learned_upsampling=False)).eval()
    assert isinstance(network, FCN8s)
    for skip in (network.skip_layer3, network.skip_layer2):
        assert skip.bias is not None
        assert not skip.weight.any()
        assert not skip.bias.any()
    images = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        coarse = network.classifier(network.backbone(images).layer4)
        expected = BilinearUpsampling(3, 2)(BilinearUpsampling(3, 2)(coarse))
        torch.testing.assert_close(network.scores(images), expected)


def test_skips_add_scores_of_the_earlier_stages() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(Architecture.FCN16S, num_classes=3, width=4, learned_upsampling=False)
    network = build_network(config).eval()
    assert isinstance(network, FCN16s)
    torch.nn.init.normal_(network.skip_layer3.weight)
    images = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        features = network.backbone(images)
        skipped = functional.conv2d(features.layer3, network.skip_layer3.weight)
        expected = BilinearUpsampling(3, 2)(network.classifier(features.layer4)) + skipped
        torch.testing.assert_close(network.scores(images), expected)


@pytest.mark.parametrize("num_classes", [0, 256, -1])
def test_a_number_of_classes_out_of_range_is_refused(num_classes: int) -> None:
    with pytest.raises(NetworkError, match=rf"num_classes must be in 1\.\.255, not {num_classes}"):
        NetworkConfig(num_classes=num_classes)


@pytest.mark.parametrize("blocks", [(2, 2, 2), (2, 2, 2, 0), (2, 2, 2, 65), (2, 2, 2, 2, 2)])
def test_blocks_out_of_range_are_refused(blocks: Blocks) -> None:
    with pytest.raises(NetworkError, match="blocks must be four numbers"):
        NetworkConfig(blocks=blocks)


@pytest.mark.parametrize("width", [0, 1025])
def test_a_width_out_of_range_is_refused(width: int) -> None:
    with pytest.raises(NetworkError, match=rf"width must be in 1\.\.1024, not {width}"):
        NetworkConfig(width=width)


def test_the_backbone_is_torchvisions_resnet18() -> None:
    torch.manual_seed(0)
    peer = resnet18(weights=None).eval()
    weights: dict[str, Tensor] = peer.state_dict()
    for name, tensor in weights.items():
        if name.endswith(("bn1.bias", "bn2.bias", "running_mean")):
            tensor.normal_(std=0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
    backbone = ResNet().eval()
    own = {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    assert own == {name: tuple(weights[name].shape) for name in weights if not name.startswith("fc.")}

    backbone.load_state_dict({name: weights[name] for name in own})
    images = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        x = peer.maxpool(peer.relu(peer.bn1(peer.conv1(images))))
        expected = []
        for stage in (peer.layer1, peer.layer2, peer.layer3, peer.layer4):
            x = stage(x)
            expected.append(x.clone())
        for feature, output in zip(backbone(images), expected, strict=True):
            torch.testing.assert_close(feature, output)


def test_the_finest_skip_starts_from_the_coarser_network() -> None:
    coarse, fine = (
        build_network(NetworkConfig(architecture, width=4, learned_upsampling=False)).eval()
        for architecture in (Architecture.FCN8S_CONTEXT, Architecture.FCN4S_CONTEXT)
    )
    missing = fine.load_state_dict(coarse.state_dict(), strict=False).missing_keys
    assert {name.split(".")[0] for name in missing} == {
        "reduce_layer2",
        "lateral_layer1",
        "smooth_layer1",
        "skip_layer1",
    }
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(fine.scores(images), twice(coarse.scores(images)))
        fine.get_parameter("skip_layer1.weight").fill_(1)
        assert not torch.equal(fine.scores(images), twice(coarse.scores(images)))


def test_shapes_are_known_without_pytorchs_compiler() -> None:
    program = (
        "import sys, torch; from model.networks import Architecture, NetworkConfig, build_network\n"
        "with torch.device('meta'):\n"
        "    for architecture in Architecture:\n"
        "        for learned in (False, True):\n"
        "            build_network(NetworkConfig(architecture, width=4, learned_upsampling=learned))\n"
        "assert not any(name.startswith('torch._dynamo') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
