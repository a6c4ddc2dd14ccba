"""What a measurement was taken on."""

import os
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_PACKAGES = ("torch", "onnxruntime", "openvino", "nncf")


@dataclass(frozen=True, slots=True)
class Machine:
    """Attributes: the CPU's name, cores that this process may use, what it can multiply fast, packages' versions."""

    cpu: str
    cores: int
    flags: tuple[str, ...]
    versions: dict[str, str]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.cpu}, {self.cores} cores ({', '.join(self.flags)}); Python {platform.python_version()}, {versions}"
        )


def this_machine() -> Machine:
    lines = _lines(Path("/proc/cpuinfo"))
    known = set(lines.get("flags", "").split())
    return Machine(
        cpu=lines.get("model name", platform.processor() or platform.machine()),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        flags=tuple(flag for flag in _FLAGS if flag in known),
        versions={package: version for package in _PACKAGES if (version := _version(package))},
    )


def _lines(path: Path) -> dict[str, str]:
    """The first CPU's lines."""
    if not path.is_file():
        return {}
    pairs = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
