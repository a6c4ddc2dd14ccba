"""A copy of the checkout, as it is for a reader who has run `make serve` once."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_STAMPS = (".made", ".serve", ".test", ".soak", ".ecosystem", ".label-studio", ".labelme")
"""Files by which make marks what it has set up."""

_NEEDED_NOWHERE = "benchmarks/reliability/corpus/"


def copy_checkout(folder: Path) -> Path:
    """Copy the files that git tracks or would add, link the virtual environment, and mark it as ready for make."""
    for name in _files():
        if (ROOT / name).is_file() and not name.startswith(_NEEDED_NOWHERE):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    environment = folder / ".venv"
    environment.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name not in _STAMPS:
            (environment / entry.name).symlink_to(entry)
    # Newer than pyproject.toml and constraints.txt: make installs nothing.
    for stamp in (".made", ".serve", ".test"):
        (environment / stamp).touch()
    return folder


def _files() -> list[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):  # not a checkout, but an archive of one, which has no other files
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return [name for name in names if name]
