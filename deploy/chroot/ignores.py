"""What ``.dockerignore`` leaves out."""

import re
from collections.abc import Callable
from pathlib import Path

from deploy.chroot.errors import CheckError


def read_ignores(file: Path) -> Callable[[str], bool]:
    """A test for paths, after ``.dockerignore``: the last pattern that matches a path or a folder above it decides."""
    lines = [line.strip() for line in file.read_text().splitlines()] if file.exists() else []
    rules = [
        (_translate(line.removeprefix("!").strip("/")), not line.startswith("!"))
        for line in lines
        if line and not line.startswith("#")
    ]

    def ignored(path: str) -> bool:
        return next((ignore for pattern, ignore in reversed(rules) if pattern.fullmatch(path)), False)

    return ignored


def _translate(pattern: str) -> re.Pattern[str]:
    if "[" in pattern or "\\" in pattern:
        raise CheckError(f".dockerignore: {pattern}: only *, ** and ? are understood")
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(wildcards.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")
