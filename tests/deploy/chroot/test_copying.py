import os
from pathlib import Path

import pytest

from deploy.chroot.copying import Origin, copy
from deploy.chroot.errors import CheckError
from deploy.chroot.ignores import read_ignores
from deploy.chroot.stage import Stage

OWNER = (os.getuid(), os.getgid())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    root = tmp_path / "root"
    root.mkdir()
    return Stage(root, "serve", workdir="/srv")


@pytest.fixture
def context(tmp_path: Path) -> Origin:
    folder = tmp_path / "context"
    (folder / "app/static").mkdir(parents=True)
    (folder / "app/main.py").write_text("main")
    (folder / "app/static/page.html").write_text("page")
    (folder / "app/__pycache__").mkdir()
    (folder / "app/__pycache__/main.pyc").write_text("compiled")
    (folder / "secret").write_text("secret")
    (folder / ".dockerignore").write_text("# Only the code.\n*\n!app\n**/__pycache__\n")
    return Origin(folder, read_ignores(folder / ".dockerignore"), linked=False)


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_of_a_folder_the_contents_are_copied_less_what_is_ignored(stage: Stage, context: Origin) -> None:
    copy(stage, ["app", "app/"], context, OWNER)
    assert files(stage.root) == {"srv/app/main.py", "srv/app/static/page.html"}


def test_a_file_goes_into_a_folder_or_takes_the_target_s_name(stage: Stage, context: Origin) -> None:
    copy(stage, ["app/main.py", "./"], context, OWNER)
    copy(stage, ["app/main.py", "/other.py"], context, OWNER)
    assert files(stage.root) == {"srv/main.py", "other.py"}


@pytest.mark.parametrize("name", ["secret", "missing", "app/*.txt"])
def test_a_source_that_is_ignored_or_missing_is_named(stage: Stage, context: Origin, name: str) -> None:
    with pytest.raises(CheckError, match=name.replace("*", r"\*")):
        copy(stage, [name, "./"], context, OWNER)


def test_a_target_outside_the_image_is_refused(stage: Stage, context: Origin) -> None:
    (stage.root / "out").symlink_to("/tmp")
    with pytest.raises(CheckError, match="leads out"):
        copy(stage, ["app/main.py", "/out/main.py"], context, OWNER)


def test_from_another_stage_files_are_shared_and_never_written_into(stage: Stage, context: Origin) -> None:
    earlier = Origin(context.root, lambda _: False, linked=True)
    copy(stage, ["app/main.py", "./"], earlier, OWNER)
    assert (stage.root / "srv/main.py").samefile(context.root / "app/main.py")
    copy(stage, ["secret", "/srv/main.py"], Origin(context.root, lambda _: False, linked=False), OWNER)
    assert (stage.root / "srv/main.py").read_text() == "secret"
    assert (context.root / "app/main.py").read_text() == "main"
