import pytest
import torch
from torch import nn

from benchmarks.engines import ours
from benchmarks.engines.agreement import Agreement
from benchmarks.engines.candidate import Body, Engine, example
from benchmarks.engines.report import Finding, goals
from benchmarks.engines.timing import interleaved
from model.networks import Architecture, NetworkConfig, build_network
from tests.precisions import needs_int8

SIZES = ((64, 96), (96, 32), (256, 160))


@pytest.fixture(scope="module")
def body() -> Body:
    torch.manual_seed(0)
    network = build_network(NetworkConfig(Architecture.FCN8S_CONTEXT, 5, (2, 1, 1, 2), 16, learned_upsampling=False))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # as if trained, so that folding changes the convolution
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_mean = torch.rand(module.num_features) - 0.5
            module.running_var = torch.rand(module.num_features) + 0.5
    network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return Body(network, [example(*size) for size in SIZES], threads=1)


def difference(engine: Engine, body: Body, size: tuple[int, int]) -> float:
    """Greatest difference of a score over the greatest score; also checks that the images stay unchanged."""
    images = example(*size)
    with torch.inference_mode():
        expected, found = body.network.scores(images), engine(images)
    assert found.dtype == torch.float32
    assert found.shape == expected.shape
    assert torch.equal(images, example(*size))
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("size", SIZES)
def test_ours_gives_the_same_scores(body: Body, size: tuple[int, int]) -> None:
    assert difference(ours._float32(body), body, size) < 1e-5


@needs_int8
@pytest.mark.parametrize("size", SIZES)
def test_integers_give_nearly_the_same_scores(body: Body, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        engine = ours._int8(body)
    assert 0 < difference(engine, body, size) < 0.1


def test_every_engine_has_a_time() -> None:
    times = interleaved({"one": lambda images: images, "two": lambda images: images + 1}, (32, 32), rounds=2, calls=1)
    assert list(times) == ["one", "two"]
    assert all(time > 0 for time in times.values())


def finding(name: str, small: float, large: float) -> Finding:
    return Finding(name, {"384x512": small, "1024x1024": large}, Agreement(0.0, 0.0, 1.0))


def test_the_spread_is_of_times_a_pixel() -> None:
    assert finding("one", small=384 * 512, large=1.25 * 1024 * 1024).spread == pytest.approx(1.25)


def test_goals_are_the_fastest_of_the_others() -> None:
    eager, ours = finding("eager float32", 1, 1), finding("ours float32", 50, 300)
    others = [finding("OpenVINO float32", 60, 250), finding("ncnn float32", 40, 310), finding("ncnn bfloat16", 1, 1)]
    lines = goals([eager, ours, *others]).splitlines()[2:]
    assert lines[0] == "| float32, 384x512: ours / ncnn float32 | **1.25: missed** | at most 1.00 |"
    assert lines[1] == "| float32, 1024x1024: ours / OpenVINO float32 | **1.20: missed** | at most 1.00 |"
    assert lines[2] == "| int8, 384x512 | not available | at most 1.05 |"
    others += [finding("ours int8", 21, 100), finding("OpenVINO int8", 20, 100)]
    assert (
        goals([eager, ours, *others]).splitlines()[4] == "| int8, 384x512: ours / OpenVINO int8 | 1.05 | at most 1.05 |"
    )
