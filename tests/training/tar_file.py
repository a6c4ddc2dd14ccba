"""Small tar archives, built in memory."""

import io
import tarfile
from collections.abc import Mapping, Sequence


def member(name: str, *, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tar_bytes(files: Mapping[str, bytes], others: Sequence[tarfile.TarInfo] = (), *, gzip: bool = False) -> bytes:
    """A tar archive of files, followed by members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if gzip else "w") as tar:
        for name, content in files.items():
            info = member(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in others:
            tar.addfile(info)
    return buffer.getvalue()
