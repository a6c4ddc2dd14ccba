"""Files to send: photographs of several sizes, and damaged files."""

from pathlib import Path

from benchmarks.photograph import photograph

PHOTOGRAPH = (375, 500)
TWELVE_MEGAPIXELS = (3000, 4000)


def write_photograph(folder: Path, size: tuple[int, int], name: str = "cat") -> str:
    """Write a photograph of ``examples/`` as a JPEG of (height, width), and return its path."""
    height, width = size
    path = folder / f"{name}-{width}x{height}.jpg"
    if not path.exists():
        path.write_bytes(photograph(name, height, width))
    return str(path)


def write_damaged(folder: Path) -> list[str]:
    """Write files that are not images, are truncated or are corrupted, and return their paths."""
    whole = photograph("cat", *PHOTOGRAPH)
    middle = len(whole) // 2
    damaged = {
        "empty": b"",
        "text": b"this is not an image",
        "half": whole[:middle],
        "overwritten": whole[:200] + bytes(200) + whole[400:],
    }
    paths = [folder / f"{name}.jpg" for name in damaged]
    for path, data in zip(paths, damaged.values(), strict=True):
        path.write_bytes(data)
    return list(map(str, paths))
