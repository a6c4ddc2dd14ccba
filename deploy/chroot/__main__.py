"""Carries out the Dockerfile's steps without a Docker engine, and tries the service that they make.

Each stage is a Debian chroot. The service runs as the image's user, without capabilities, on a read-only root. Needs
root and debootstrap. Stands in for python:X.Y.Z-slim-SUITE with that Debian's own Python X.Y.
"""

import argparse
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import FrameType

from deploy.chroot.build import Build
from deploy.chroot.dockerfile import needed, read_sections
from deploy.chroot.errors import CheckError
from deploy.chroot.inside import inside
from deploy.chroot.instructions import carry_out
from deploy.chroot.service import try_service
from deploy.chroot.sizes import print_sizes
from deploy.chroot.starts import measure_starts
from deploy.shipped import held, shipped

_CONTEXT = Path(__file__).resolve().parents[2]
_PROGRAMS = ("chroot", "debootstrap", "mount", "unshare")


def main() -> None:
    """Build, try, measure, clean up; exit code 1 with a message if anything is amiss."""
    options = _parse_options()
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        _require_tools()
        with tempfile.TemporaryDirectory(prefix="chroot-check-", dir="/var/tmp") as temporary:
            _check(options, (options.root or Path(temporary)).resolve())
    except subprocess.CalledProcessError as error:
        # Not the command itself: pip's settings in it may hold a password.
        raise SystemExit(f"error: exit code {error.returncode} of the step shown last") from None
    except (CheckError, OSError, ValueError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"error: {error}") from error
    print("The Dockerfile's steps make what they should.")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.chroot", description=__doc__)
    parser.add_argument("--root", type=Path, help="folder to work in, some 15 GB; its base system is kept and reused")
    parser.add_argument(
        "--target", default="serve", help="stage to build and try (%(default)s); others run their command"
    )
    parser.add_argument("--starts", type=int, default=0, metavar="N", help="measure as many starts, warm and cold")
    parser.add_argument("--keep", action="store_true", help="leave the stages in --root/stages; the last is the image")
    parser.add_argument(
        "--mirror",
        default=os.environ.get("DEBOOTSTRAP_MIRROR", ""),
        help="Debian mirror (the environment's DEBOOTSTRAP_MIRROR, else debootstrap's own)",
    )
    parser.add_argument("--build-arg", type=_key_value, action="append", default=[], metavar="NAME=VALUE")
    return parser.parse_args()


def _key_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _require_tools() -> None:
    if os.geteuid() != 0:
        raise CheckError("chroot and debootstrap need root; run this as root")
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise CheckError(f"not installed: {', '.join(missing)}")


def _check(options: argparse.Namespace, folder: Path) -> None:
    stages = folder / "stages"
    if stages.exists():
        raise CheckError(f"{stages} exists: another check is running, was killed, or was told to keep it; remove it")
    stages.mkdir(parents=True)
    photograph = _CONTEXT / "examples/cat.jpg"
    try:
        build = Build(_CONTEXT, folder, options.mirror, dict(options.build_arg))
        stage = carry_out(build, needed(read_sections(_CONTEXT / "Dockerfile"), options.target))
        print_sizes(stage.root)
        if options.target == "serve":
            _check_packages(stage.root)
            try_service(stage, photograph)
            if options.starts:
                measure_starts(stage, photograph, options.starts)
        elif stage.command:
            subprocess.run(inside(stage, stage.command, {}), check=True)
    finally:
        if not options.keep:
            shutil.rmtree(stages)


def _check_packages(root: Path) -> None:
    """The image holds what ``deploy.sbom`` tells, in the same versions."""
    differing = {(package.name, package.version) for package in held(root)} ^ {
        (package.name, package.version) for package in shipped()
    }
    if differing:
        raise CheckError(f"the image holds other packages than its SBOM tells: {sorted(differing)}")
    print("The image holds the packages that its SBOM tells.", flush=True)


if __name__ == "__main__":
    main()
