"""The instruction COPY."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.chroot.errors import CheckError
from deploy.chroot.stage import Stage


@dataclass(frozen=True, slots=True)
class Origin:
    """Where files are copied from.

    Attributes:
        root: folder that sources are relative to.
        skips: which are left out, by their paths from there.
        linked: whether a copy may share its bytes with its source: nothing is written into in place.
    """

    root: Path
    skips: Callable[[str], bool]
    linked: bool


def copy(stage: Stage, words: Sequence[str], origin: Origin, owner: tuple[int, int]) -> None:
    """Copy as Docker does.

    Args:
        stage: to copy into.
        words: sources, which may have wildcards, and the target.
        origin: where the sources are.
        owner: user and group that shall own the copies.
    """
    *sources, target = words
    into = target.endswith("/") or target == "." or len(sources) > 1 or stage.path(target).is_dir()
    for pattern in sources:
        pairs = [
            (source, copied)
            for found in _matches(origin.root, pattern)
            for source, copied in _pairs(found, stage.path(target), into)
            if not origin.skips(source.relative_to(origin.root).as_posix())
        ]
        if not pairs:
            raise CheckError(f"COPY {' '.join(words)}: {pattern} is missing, empty or in .dockerignore")
        for source, copied in pairs:
            _copy_file(source, copied, owner, origin.linked)


def _matches(root: Path, pattern: str) -> list[Path]:
    relative = os.path.normpath(pattern).lstrip("/")
    return [root] if relative in ("", ".") else sorted(root.glob(relative))


def _pairs(source: Path, target: Path, into: bool) -> Iterator[tuple[Path, Path]]:
    """Files and where they go: of a folder the contents are copied."""
    if source.is_symlink() or not source.is_dir():
        yield source, target / source.name if into else target
        return
    for path in source.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path, target / path.relative_to(source)


def _copy_file(source: Path, copied: Path, owner: tuple[int, int], linked: bool) -> None:
    for parent in reversed(copied.parents):
        if not parent.exists():
            parent.mkdir(mode=0o755)
            os.chown(parent, *owner)
    copied.unlink(missing_ok=True)
    status = source.lstat()
    if linked and (status.st_uid, status.st_gid) == owner:
        os.link(source, copied, follow_symlinks=False)
        return
    shutil.copy2(source, copied, follow_symlinks=False)
    os.chown(copied, *owner, follow_symlinks=False)
