"""Start-up time and memory of a container run as in docs/container.md: python -m benchmarks.container IMAGE"""

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.docker import HARDENED, Container

_PHOTOGRAPH = Path(__file__).parents[1] / "examples/cat.jpg"

_CPU_TIME = ("/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpuacct/cpuacct.usage")
_MEMORY = ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes")
_PEAK = ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes")
"""Peak memory; like those above, the files of cgroup versions 2 and 1."""


@dataclass(frozen=True)
class Start:
    """One start until the service is ready, and a first photograph."""

    ready_s: float
    cpu_s: float
    first_mask_s: float
    rest_mb: float
    peak_mb: float


def main() -> None:
    """Print the median, minimum and maximum over several starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.container", description=__doc__)
    parser.add_argument("image", help="image of the service")
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    starts = [measure(options.image) for _ in range(options.starts)]
    print("| to `/readyz`, s | of processors, s | first photograph, s | memory at rest, MB | peak, MB |")
    print("| --- | --- | --- | --- | --- |")
    names = ("ready_s", "cpu_s", "first_mask_s", "rest_mb", "peak_mb")
    print(f"| {' | '.join(_summary([getattr(start, name) for start in starts]) for name in names)} |")


def measure(image: str) -> Start:
    """Start a container, send it one photograph, and remove it."""
    photograph = _PHOTOGRAPH.read_bytes()
    started = time.perf_counter()
    with Container(image, *HARDENED, "--publish", "127.0.0.1::8000") as container:
        while not _is_ready(container):
            if not container.state["Running"]:
                raise RuntimeError("\n".join(container.logs))
            time.sleep(0.02)
        ready_s = time.perf_counter() - started
        cpu_s = _cpu_s(container)
        rest_mb = _number(container, _MEMORY) / 1e6
        asked = time.perf_counter()
        container.segment(photograph).raise_for_status()
        first_mask_s = time.perf_counter() - asked
        return Start(ready_s, cpu_s, first_mask_s, rest_mb, _number(container, _PEAK) / 1e6)


def _is_ready(container: Container) -> bool:
    try:
        return httpx2.get(f"{container.address}/readyz", timeout=5, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def _cpu_s(container: Container) -> float:
    words = _text(container, _CPU_TIME).split()
    return int(words[1]) / 1e6 if words[0] == "usage_usec" else int(words[0]) / 1e9


def _number(container: Container, files: tuple[str, str]) -> int:
    return int(_text(container, files))


def _text(container: Container, files: tuple[str, str]) -> str:
    return container.execute("sh", "-c", f"cat {' '.join(files)} 2>/dev/null || true")


def _summary(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
