"""Two operations fused in strips, against the same operations in sequence."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.networks import Architecture
from model.streaming import Program, Step, run, strips, trace_scores
from model.streaming.operations import Addition, Convolution, MaxPooling
from model.streaming.rows import Window
from model.streaming.strips import Strips, join_strips
from model.streaming.winograd import winograd_convolution
from tests.model.flow import flow
from tests.model.random_checkpoint import random_checkpoint

_STEM, _POOLING = Window(7, 2, 3), Window(3, 2, 1)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _program() -> Program:
    stem = Convolution(_noise(8, 3, 7, 7, seed=1), _noise(8, seed=2), _STEM, relu=True)
    return Program((Step(stem, (0,)), Step(MaxPooling(_POOLING), (1,))))


@pytest.mark.parametrize("strip_bytes", [1, 1 << 15, 1 << 23])
@pytest.mark.parametrize("cuts", [[], [32], [32, 96, 128]])
@pytest.mark.parametrize("columns", [32, 96])
def test_strips_give_what_one_after_the_other_gives(
    strip_bytes: int, cuts: list[int], columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strips, "_STRIP_BYTES", strip_bytes)
    program = _program()
    joined = join_strips(program)
    assert len(joined.steps) == 1
    assert joined.totals(160) == [160, 40]
    x = _noise(2, 3, 160, columns)
    result = torch.cat(flow(joined, x, cuts), dim=2)
    torch.testing.assert_close(result, run(program, x), rtol=0, atol=1e-12)


@given(
    first=st.builds(Window, st.integers(1, 7), st.integers(1, 3), st.integers(0, 3)),
    second=st.builds(Window, st.integers(1, 5), st.integers(1, 3), st.integers(0, 2)),
    rows=st.integers(30, 90),
    wanted=st.integers(0, 4),
)
def test_a_window_after_another_sees_what_both_see(first: Window, second: Window, rows: int, wanted: int) -> None:
    both = first.followed_by(second)
    assert both.total(rows) == second.total(first.total(rows))
    assert both.needed(range(wanted, wanted + 2)) == first.needed(second.needed(range(wanted, wanted + 2)))


@pytest.mark.parametrize("architecture", list(Architecture))
def test_a_networks_stem_and_pooling_become_one(architecture: Architecture) -> None:
    program = trace_scores(random_checkpoint(architecture, width=8).build())
    joined = join_strips(program)
    assert isinstance(joined.steps[0].operation, Strips)
    assert isinstance(joined.steps[0].operation.second, MaxPooling)
    assert len(joined.steps) == len(program.steps) - 1
    x = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(run(joined, x), run(program, x), rtol=0, atol=1e-4)


def test_what_others_read_is_not_joined() -> None:
    pixelwise = Convolution(_noise(3, 3, 1, 1), _noise(3), Window())
    both = Program((Step(pixelwise, (0,)), Step(pixelwise, (1,)), Step(Addition(), (1, 2))))
    assert join_strips(both) is both
    beside = Program((Step(pixelwise, (0,)), Step(pixelwise, (0,)), Step(Addition(), (1, 2))))
    assert join_strips(beside) is beside


def test_what_is_computed_in_tiles_of_rows_is_not_joined() -> None:
    stem = Convolution(_noise(64, 3, 7, 7).float(), _noise(64).float(), _STEM)
    tiled = winograd_convolution(Convolution(_noise(64, 64, 3, 3).float(), _noise(64).float(), Window(3, 1, 1)))
    assert tiled is not None
    program = Program((Step(stem, (0,)), Step(tiled, (1,))))
    assert join_strips(program) is program
