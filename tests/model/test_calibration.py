import pytest
import torch

from model.networks import Architecture
from model.streaming import Program, Step, measure_ranges, trace_scores
from model.streaming.operations import Addition, MaxPooling
from model.streaming.rows import Window
from tests.model.random_checkpoint import random_checkpoint


def test_ranges_reach_from_the_least_to_the_greatest_number_of_all_images() -> None:
    program = Program((Step(MaxPooling(Window(2, 2)), (0,)), Step(Addition(), (1, 1))))
    images = [
        torch.tensor([[[[-1.0, 2.0], [0.0, 1.0]]]]),
        torch.tensor([[[[-5.0, -4.0, 0.0, 1.0], [-6.0, -7.0, 0.0, 0.0]]]]),
    ]
    assert measure_ranges(program, images) == ((-7, 2), (-4, 2), (-8, 4))


@pytest.mark.parametrize("architecture", list(Architecture))
def test_each_value_from_the_image_to_the_scores_has_a_range(architecture: Architecture) -> None:
    network = random_checkpoint(architecture).build()
    program = trace_scores(network)
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    ranges = measure_ranges(program, iter([images]))
    assert len(ranges) == len(program.steps) + 1
    assert ranges[0] == (images.min().item(), images.max().item())
    scores = network.scores(images)
    assert ranges[-1] == pytest.approx((scores.min().item(), scores.max().item()), rel=1e-4)


def test_without_images_there_are_no_ranges() -> None:
    assert measure_ranges(trace_scores(random_checkpoint().build()), []) == ()
