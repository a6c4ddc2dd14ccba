from pathlib import Path

import pytest

from deploy.ray.whole_files import WholeFiles


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a/b.png"
    with WholeFiles(tmp_path).replacing(target) as unfinished:
        unfinished.write_bytes(b"mask")
        assert not target.exists()
    assert target.read_bytes() == b"mask"


def test_two_who_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    files, target = WholeFiles(tmp_path), tmp_path / "b.png"
    with files.replacing(target) as first, files.replacing(target) as second:
        first.write_bytes(b"the whole first")
        second.write_bytes(b"the whole second")
    assert target.read_bytes() == b"the whole first"


def _fail(files: WholeFiles, target: Path) -> None:
    with files.replacing(target) as unfinished:
        unfinished.write_bytes(b"half")
        raise OSError("no space")


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no space"):
        _fail(WholeFiles(tmp_path), tmp_path / "b.png")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    files = WholeFiles(tmp_path)
    files.clean()
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished/7").write_bytes(b"half")
    files.clean()
    assert list(tmp_path.iterdir()) == []
