import math

import pytest

from training.errors import DivergedError
from training.fit.divergence import DivergenceGuard


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_run(loss: float) -> None:
    guard = DivergenceGuard(21)
    guard.watch(1.0)
    with pytest.raises(DivergedError, match=f"the loss is {loss}"):
        guard.watch(loss)


def test_a_first_loss_above_five_times_guessing_ends_the_run() -> None:
    limit = 5 * math.log(21)
    DivergenceGuard(21).watch(limit - 0.01)
    with pytest.raises(DivergedError, match=r"exploded: 15\.3 on average; 15\.2 is five times that of guessing"):
        DivergenceGuard(21).watch(limit + 0.05)


def test_a_single_high_loss_is_forgiven() -> None:
    guard = DivergenceGuard(21)
    for loss in (3.0, 2.5, 100.0, 2.0, 1.5):
        guard.watch(loss)


def test_losses_that_stay_high_end_the_run_when_their_average_is_too_high() -> None:
    guard = DivergenceGuard(2)  # 5 ln 2 is 3.466
    guard.watch(1.0)
    guard.watch(12.0)  # 0.9 + 1.2 = 2.1
    guard.watch(12.0)  # 1.89 + 1.2 = 3.09
    with pytest.raises(DivergedError, match=r"4\.0 on average; 3\.5 is"):
        guard.watch(12.0)  # 2.781 + 1.2 = 3.981


def test_one_class_alone_is_guarded_as_two_are() -> None:
    guard = DivergenceGuard(1)
    guard.watch(3.4)
    with pytest.raises(DivergedError, match="exploded"):
        DivergenceGuard(1).watch(3.5)
