"""What a stage starts from: Debian with its own Python in place of ``python:X.Y.Z-slim-SUITE``."""

import re
import subprocess
from pathlib import Path

from deploy.chroot.errors import CheckError

_PACKAGES = ("ca-certificates", "python-is-python3", "python3", "python3-pip", "python3-venv")


def stand_in(image: str, folder: Path, mirror: str) -> tuple[Path, str]:
    """Debian with the image's Python, made once for each suite.

    Args:
        image: as ``FROM`` names it.
        folder: to keep it in.
        mirror: Debian mirror; empty leaves it to debootstrap.

    Returns:
        Its root, and the version of Python that it has, as ``X.Y``.
    """
    match = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-([a-z]+)(?:@sha256:[0-9a-f]{64})?", image)
    if match is None:
        raise CheckError(f"FROM {image}: only python:X.Y.Z-slim-SUITE can be stood in for")
    root = folder / f"base-{match[2]}"
    if not root.exists():
        unfinished = root.with_suffix(".unfinished")
        include = f"--include={','.join(_PACKAGES)}"
        subprocess.run(
            ["debootstrap", "--variant=minbase", include, match[2], unfinished, *([mirror] if mirror else [])],
            check=True,
        )
        unfinished.rename(root)
    return root, match[1]


def remove_compiled_modules(root: Path) -> None:
    """Make Debian's library what the image's is, which comes without them."""
    for path in (root / "usr/lib").glob("python3*/**/*.pyc"):
        path.unlink()
