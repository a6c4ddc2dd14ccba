"""Files that are sent: photographs of several sizes, and damaged ones."""

from pathlib import Path

from benchmarks.photograph import photograph

PHOTOGRAPH = (375, 500)
TWELVE_MEGAPIXELS = (3000, 4000)


def write_photograph(folder: Path, size: tuple[int, int], name: str = "cat") -> str:
    """The path of a JPEG of ``examples/``, at some size: height, width."""
    height, width = size
    path = folder / f"{name}-{width}x{height}.jpg"
    if not path.exists():
        path.write_bytes(photograph(name, height, width))
    return str(path)


def write_damaged(folder: Path) -> list[str]:
    """Paths of files that are no images, or end too early, or are wrong within."""
    whole = photograph("cat", *PHOTOGRAPH)
    middle = len(whole) // 2
    damaged = {
        "empty": b"",
        "text": b"this is no image",
        "half": whole[:middle],
        "overwritten": whole[:200] + bytes(200) + whole[400:],
    }
    paths = [folder / f"{name}.jpg" for name in damaged]
    for path, data in zip(paths, damaged.values(), strict=True):
        path.write_bytes(data)
    return list(map(str, paths))
