import threading

import pytest

from app.turns import Turns


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_turns_come_in_the_order_of_asking_even_between_a_giants_tiles(turns: Turns) -> None:
    order: list[str] = []
    small_asked = threading.Event()

    def small() -> None:
        small_asked.set()
        with turns.take():
            order.append("small")

    thread = threading.Thread(target=small)
    with turns.take():
        order.append("giant")
        thread.start()
        small_asked.wait()
        while turns._tickets < 2:
            pass
    with turns.take():
        order.append("giant")
    thread.join()
    assert order == ["giant", "small", "giant"]


def test_a_turn_that_fails_is_over(turns: Turns) -> None:
    with pytest.raises(InterruptedError), turns.take():
        raise InterruptedError
    with turns.take():
        pass
