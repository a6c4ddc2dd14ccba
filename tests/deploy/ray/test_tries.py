from pathlib import Path

import pytest

from deploy.ray.tries import Tries


def test_what_has_ended_does_not_count(tmp_path: Path) -> None:
    tries = Tries(tmp_path / "tries")
    with tries.one("a.jpg"):
        assert (tries.count("a.jpg"), tries.count("b.jpg")) == (1, 0)
    with pytest.raises(OSError, match="no space"), tries.one("a.jpg"):
        raise OSError("no space")
    assert tries.count("a.jpg") == 0


def test_what_has_not_ended_counts_for_those_who_come_later(tmp_path: Path) -> None:
    begun = []
    for number in range(1, 4):
        begun.append(Tries(tmp_path).one("a.jpg"))
        begun[-1].__enter__()
        assert Tries(tmp_path).count("a.jpg") == number
