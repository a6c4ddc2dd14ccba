"""What takes how much of an image."""

import os
from collections import Counter
from pathlib import Path

_LIBRARIES = Path("opt/venv/lib")
_OWN_LINE_BYTES = 15e6


def print_sizes(root: Path) -> None:
    """A table of an image's parts in MB (10^6 bytes), the largest first; hard links count once."""
    parts = sizes(root)
    large = {name: size for name, size in parts.items() if size >= _OWN_LINE_BYTES}
    small = sum(parts.values()) - sum(large.values())
    print("| part | MB |")
    print("| --- | --- |")
    for name, size in Counter(large).most_common():
        print(f"| {name} | {size / 1e6:.0f} |")
    print(f"| {len(parts) - len(large)} others | {small / 1e6:.0f} |")
    print(f"| all | {sum(parts.values()) / 1e6:.0f} |", flush=True)


def sizes(root: Path) -> Counter[str]:
    """Bytes of files by part: each library, the service, and the base system."""
    parts: Counter[str] = Counter()
    seen = set()
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                parts[_part(path.relative_to(root))] += status.st_size
    return parts


def _part(path: Path) -> str:
    if path.is_relative_to(_LIBRARIES):
        # opt/venv/lib/pythonX.Y/site-packages/NAME, and what a package's wheel keeps beside it: NAME.libs.
        name = path.parts[5] if len(path.parts) > 5 else path.name
        return name.removesuffix(".libs")
    if path.parts[0] == "srv":
        return "/".join(path.parts[:2])
    return "base system and Python"
