from contextlib import suppress
from pathlib import Path

from model.files import replacing


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with replacing(file) as unfinished:
        unfinished.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    with suppress(RuntimeError), replacing(file) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_neighbour_of_any_name_is_left_alone(tmp_path: Path) -> None:
    neighbour = tmp_path / "file.part"
    neighbour.write_text("somebody's")
    with replacing(tmp_path / "file") as unfinished:
        unfinished.write_text("new")
    assert neighbour.read_text() == "somebody's"


def test_two_who_write_the_same_file_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with suppress(RuntimeError), replacing(file) as later:
        with replacing(file) as first:
            first.write_text("whole")
            later.write_text("h")
        assert file.read_text() == "whole"
        raise RuntimeError
    assert file.read_text() == "whole"


def test_the_name_may_be_as_long_as_names_are(tmp_path: Path) -> None:
    file = tmp_path / ("\N{CAT}" * 63)
    with replacing(file) as unfinished:
        unfinished.write_text("new")
    assert file.read_text() == "new"
