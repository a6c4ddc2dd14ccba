from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.cli.sources import Search, Source, search
from app.cli.targets import assign_targets

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
