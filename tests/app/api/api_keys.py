"""Keys of the tests."""

import hashlib
from pathlib import Path

KEYS = {name: f"{name}-key-that-nobody-guesses" for name in ("segment", "metrics", "admin", "everything")}


def keys_file(folder: Path) -> Path:
    """Write a key for each scope, and one with all scopes."""
    lines = [
        f"{name} {hashlib.sha256(key.encode()).hexdigest()} {'segment,metrics,admin' if name == 'everything' else name}"
        for name, key in KEYS.items()
    ]
    path = folder / "keys"
    path.write_text("\n".join(lines))
    return path


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name]}"}
