"""Coverage-guided fuzzing of the code that reads untrusted bytes: it may only raise problems, never crash or hang.

    python -m pip install 'fcn-segmentation[fuzz]'
    python -m benchmarks.reliability.decoding_fuzz --seconds 600

The target ``images`` reads image files as the decoders do, ``uploads`` reads request bodies. atheris sees the Python
branches that an input takes in the service, Pillow and the form parser, but not in the C libraries below. It starts
with the files of ``corpus/`` and a small file of every kind. Inputs that fail are kept in a folder.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from benchmarks.findings import Finding, none_of
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.decoding_targets import TARGETS
from benchmarks.reliability.seeds import seeds

CORPUS = Path(__file__).parent / "corpus"
TARGET_MODULE = "benchmarks.reliability.decoding_fuzz_target"

_ROOT = Path(__file__).parents[2]
_INPUT_TIMEOUT_S = 20
_MAX_ALLOCATED_MB = 1024
_MAX_INPUT_BYTES = 1 << 14
_MAX_CRASHES = 20
"""Number of crashes after which fuzzing of a target ends."""

_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment variables of decoder processes."""

_EXECUTIONS = re.compile(r"number_of_executed_units: (\d+)")
_PROGRESS = re.compile(r"cov: (\d+) ft: (\d+)")
_PEAK = re.compile(r"peak_rss_mb: +(\d+)")
_EXCEPTION = re.compile(r"Uncaught Python exception: ===\s+(.+)|(SUMMARY: .+)")

_FORMS = {
    "form": b'multipart/form-data; boundary=b\n--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n'
    b"Content-Type: image/png\r\n\r\nbytes\r\n--b--\r\n",
    "bytes": b"image/jpeg\nbytes",
}


@dataclass(slots=True)
class Campaign:
    """Result of fuzzing a target.

    Attributes:
        executions: number of inputs tried.
        branches: number of Python branches covered.
        features: number of libFuzzer features: combinations and counts of branches.
        peak_mb: peak of resident memory in MB.
        crashes: file with an input that ended the process -> error message.
    """

    executions: int = 0
    branches: int = 0
    features: int = 0
    peak_mb: int = 0
    crashes: dict[str, str] = field(default_factory=dict)


def fuzz(target: str, seconds: float, folder: Path, module: str = TARGET_MODULE) -> Campaign:
    """Try inputs until the time is over, restarting the target after a crash.

    Args:
        target: ``images`` or ``uploads``.
        seconds: time to fuzz.
        folder: folder for inputs that ended a process; its subfolder ``TARGET-found`` gets those with new branches.
        module: module that runs the target.
    """
    campaign, found = Campaign(), folder / f"{target}-found"
    found.mkdir()
    with TemporaryDirectory() as name:
        begun = Path(name)
        for kind, data in (seeds() if target == "images" else _FORMS).items():
            (begun / kind).write_bytes(data)
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) >= 1 and len(campaign.crashes) < _MAX_CRASHES:
            _run(module, target, (found, begun, CORPUS / target), left_s, folder, campaign)
    return campaign


def prove(targets: Sequence[str], seconds: float) -> list[Finding]:
    """Fuzz targets one after another."""
    folder = Path(mkdtemp(prefix="decoding-fuzz-"))
    print(f"failing inputs are kept in {folder}", file=sys.stderr)
    findings = []
    for target in targets:
        campaign = fuzz(target, seconds, folder)
        for path, said in campaign.crashes.items():
            print(f"{path}: {said}", file=sys.stderr)
        findings += [
            Finding(f"{target}: inputs tried in {seconds:g} s", f"{campaign.executions:,}"),
            Finding(f"{target}: branches, and features, seen", f"{campaign.branches:,}, {campaign.features:,}"),
            Finding(f"{target}: resident memory at most", f"{campaign.peak_mb} MB"),
            none_of(
                f"{target}: crashes, hangs and other exceptions", len(campaign.crashes), list(campaign.crashes.values())
            ),
        ]
    return findings


def _run(module: str, target: str, corpora: Sequence[Path], seconds: float, folder: Path, campaign: Campaign) -> None:
    """Let a process try inputs until the time is over or an input ends it; add the result to ``campaign``."""
    known = set(folder.iterdir())
    options = {
        "max_total_time": int(seconds),
        "timeout": _INPUT_TIMEOUT_S,
        # No limit on resident memory: a process inherits the peak of its parent.
        "rss_limit_mb": 0,
        "malloc_limit_mb": _MAX_ALLOCATED_MB,
        "max_len": _MAX_INPUT_BYTES,
        "artifact_prefix": f"{folder}/{target}-",
        "print_final_stats": 1,
        "close_fd_mask": 2,  # libraries write warnings about files there
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", module, f"--{target}", *map(str, corpora), *flags]
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={**os.environ, **_ENVIRONMENT},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + 10 * _INPUT_TIMEOUT_S,
    )
    log = done.stdout.decode("utf-8", "replace")
    campaign.executions += int(_last(_EXECUTIONS, log)[0])
    branches, features = _last(_PROGRESS, log)
    campaign.branches = max(campaign.branches, int(branches))
    campaign.features = max(campaign.features, int(features))
    campaign.peak_mb = max(campaign.peak_mb, int(_last(_PEAK, log)[0]))
    if done.returncode:
        said = next((group for groups in _EXCEPTION.findall(log) for group in groups if group), log[-500:])
        inputs = sorted(set(folder.iterdir()) - known)
        campaign.crashes[str(inputs[0]) if inputs else f"run that ended with {done.returncode}"] = said


def _last(pattern: re.Pattern[str], log: str) -> tuple[str, ...]:
    """Groups of a pattern's last match; zeros if there is none."""
    found = list(pattern.finditer(log))
    return found[-1].groups() if found else ("0",) * pattern.groups


def main() -> int:
    arguments = parser("decoding_fuzz", __doc__)
    arguments.add_argument(
        "--targets", nargs="+", choices=TARGETS, default=list(TARGETS), help="targets to fuzz (both)"
    )
    arguments.add_argument("--seconds", type=float, default=600, help="seconds per target (600)")
    options = arguments.parse_args()
    return conclude(prove(options.targets, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
