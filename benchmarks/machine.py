"""Description of the machine that a benchmark ran on."""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

_LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")
"""Environment variables that restrict which CPU instructions oneDNN and PyTorch use; other engines ignore them."""

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_ROOT = Path(__file__).parents[1]

_TELL_VERSIONS = """
import sys
from importlib.metadata import version
print(", ".join(f"{name} {version(name)}" for name in sys.argv[1:]))
"""


def describe_machine() -> dict[str, str]:
    """Processor and its instruction sets, the variables that restrict PyTorch's, cores, system, Python and commit."""
    limits = {name: os.environ[name] for name in _LIMITS if name in os.environ}
    return {
        "CPU": _processor(),
        "instruction sets": _features(),
        **limits,
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "commit": _commit(),
    }


def versions(python: str, packages: Sequence[str]) -> str:
    """Names and versions of packages that an interpreter has, separated by commas."""
    return _said([python, "-c", _TELL_VERSIONS, *packages])


def _processor() -> str:
    return _cpuinfo("model name") or platform.machine()


def _features() -> str:
    known = _cpuinfo("flags").split()
    return ", ".join(feature for feature in _FEATURES if feature in known) or "unknown"


def _cpuinfo(name: str) -> str:
    """Value of a line of ``/proc/cpuinfo`` for the first processor; empty if the file or the line is missing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _commit() -> str:
    commit = _said(["git", "rev-parse", "--short", "HEAD"])
    return f"{commit} and changes" if _said(["git", "status", "--porcelain"]) not in ("", "unknown") else commit


def _said(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
