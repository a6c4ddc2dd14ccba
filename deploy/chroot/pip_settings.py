"""What pip's settings here name on this disk, to be shown inside a stage."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FILES = ("/etc/pip.conf", "/etc/xdg/pip", "/root/.config/pip")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def pip_environment() -> dict[str, str]:
    """The variables that pip heeds here."""
    return {name: text for name, text in os.environ.items() if name.startswith("PIP_") or name in _PROXIES}


def pip_paths() -> list[Path]:
    """What pip's settings here name on this disk: its own files, certificates, folders, local indexes."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    words = [word for line in listing.stdout.splitlines() for word in line.partition("=")[2].strip("'\"").split()]
    paths = {Path(name) for name in _FILES} | {path for word in words if (path := _local_path(word))}
    existing = sorted(path for path in paths if path.exists())
    return [path for path in existing if not any(parent in existing for parent in path.parents)]


def _local_path(word: str) -> Path | None:
    """The path that a word of pip's settings names; of a local index its parent: its pages link to files beside it."""
    url = urlsplit(word)
    if url.scheme == "file":
        return Path(unquote(url.path)).parent
    return Path(word) if word.startswith("/") and word != os.devnull else None
