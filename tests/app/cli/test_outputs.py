import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.errors import FileError
from app.cli.inputs import Search, Source, search
from app.cli.outputs import assign_targets
from app.cli.report import Failure, Report
from model.image_suffixes import IMAGE_SUFFIXES

_NAMES = st.from_regex(r"[aAb](\.(jpg|png)){0,3}", fullmatch=True)
_PATHS = st.lists(st.tuples(st.sampled_from(["", "inner"]), _NAMES), unique=True)


@given(_PATHS)
def test_no_two_images_share_an_answer(paths: list[tuple[str, str]]) -> None:
    base = Path("/photos")
    found = Search([Source(base / folder / name) for folder, name in paths], base=base)
    tasks = assign_targets(found, Path("/masks"), "png")
    assert len({task.target for task in tasks}) == len(paths)
    for task in tasks:
        assert task.target.parent == Path("/masks") / task.source.path.relative_to(base).parent


def test_names_repeat_the_paths_below_the_folder_that_all_images_lie_in(tmp_path: Path) -> None:
    for name in ("one/a.jpg", "two/a.jpg", "two/inner/b.jpg", "two/out/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    output = tmp_path / "two/out"

    def targets(*names: str, is_recursive: bool = True) -> list[str]:
        found = search([tmp_path / name for name in names], output, is_recursive=is_recursive)
        return [str(task.target.relative_to(output)) for task in assign_targets(found, output, "json")]

    assert targets("one", "two") == ["one/a.json", "two/a.json", "two/inner/b.json"]
    assert targets("two") == ["a.json", "inner/b.json"]
    assert targets("two", is_recursive=False) == ["a.json"]
    assert targets("one/a.jpg", "two/a.jpg", "two") == ["one/a.json", "two/a.json", "two/inner/b.json"]
    assert targets("one/a.jpg", "one/../one/a.jpg") == ["a.json"]


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _found(folder: Path, output: Path | None = None, *, is_recursive: bool = True) -> list[str]:
    found = search([folder], output, is_recursive=is_recursive)
    assert found.failures == []
    return [str(source.path.relative_to(folder)) for source in found.sources]


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_a_folders_images_are_known_by_all_their_suffixes_in_any_case(tmp_path: Path, suffix: str) -> None:
    _touch(tmp_path, f"a{suffix}", f"b{suffix.upper()}")
    assert _found(tmp_path) == [f"a{suffix}", f"b{suffix.upper()}"]


def test_what_is_left_out_for_its_name_is_told(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "a.xml", "inner/notes", ".hidden")
    found = search([tmp_path], None, is_recursive=True)
    assert found.left_out == [tmp_path / "a.xml", tmp_path / "inner/notes"]
    report = Report([str(tmp_path / "a.jpg")], left_out=[str(file) for file in found.left_out])
    assert f"names are not those of images: 2 ({tmp_path}/a.xml, {tmp_path}/inner/notes)" in report.summary()
    assert json.loads(report.document())["left_out"] == [f"{tmp_path}/a.xml", f"{tmp_path}/inner/notes"]
    assert "4 (a, b, c, ...)" in Report([], left_out=["a", "b", "c", "d"]).summary()


def test_linked_folders_and_files_are_searched_as_those_beside_them(tmp_path: Path) -> None:
    _touch(tmp_path, "photos/a.jpg", "elsewhere/b.jpg", "elsewhere/deep/c.jpg")
    (tmp_path / "photos/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos/again").symlink_to("linked/deep")
    (tmp_path / "photos/d.jpg").symlink_to("a.jpg")
    photos = tmp_path / "photos"
    assert _found(photos) == ["a.jpg", "d.jpg", "again/c.jpg", "linked/b.jpg", "linked/deep/c.jpg"]
    assert _found(photos, is_recursive=False) == ["a.jpg", "d.jpg"]
    assert _found(photos, tmp_path / "elsewhere/deep") == ["a.jpg", "d.jpg", "linked/b.jpg"]


def test_links_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    _touch(tmp_path, "one/a.jpg", "two/b.jpg")
    (tmp_path / "one/two").symlink_to(tmp_path / "two")
    (tmp_path / "two/one").symlink_to(tmp_path / "one")
    (tmp_path / "one/itself").symlink_to(".")
    (tmp_path / "one/above").symlink_to("..")
    assert _found(tmp_path / "one") == ["a.jpg", "above/two/b.jpg", "two/b.jpg"]


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "folder").symlink_to("nowhere")
    found = search([tmp_path], None, is_recursive=True)
    assert found.left_out == [tmp_path / "folder"]
    with pytest.raises(FileError, match="No such file"):
        found.sources[0].read()


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert search([tmp_path], None, is_recursive=True).failures == [
        Failure(str(tmp_path), "the folder cannot be read: Permission denied")
    ]
