"""Carries out the Dockerfile's steps without a Docker engine, and tries the service that they make.

Each stage is a Debian chroot, in a mount namespace of its own for every command, so that no mount can be left over.
The service runs as the image's user, without capabilities, on a read-only root. Needs root and debootstrap.

Stands in for ``python:X.Y-slim`` with Debian's own Python X.Y.
"""

import argparse
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import unquote, urlsplit

from dockerfile_parse import DockerfileParser
from dockerfile_parse.parser import image_from
from dockerfile_parse.util import WordSplitter, extract_key_values
from PIL import Image

CONTEXT = Path(__file__).resolve().parents[1]
PACKAGES = ("ca-certificates", "python-is-python3", "python3", "python3-pip", "python3-venv")
PROGRAMS = ("chroot", "debootstrap", "mount", "unshare")
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 60.0

PIP_SETTINGS = ("/etc/pip.conf", "/etc/xdg/pip", "/root/.config/pip")
NETWORK_FILES = ("/etc/hosts", "/etc/resolv.conf")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

_BASE_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
}

# Arguments: the root, `ro` or `rw`, paths to show inside, `--`, chroot's arguments.
_ENTER = """
root=$1 mode=$2; shift 2
mount --bind "$root" "$root"
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mount --bind "$1" "$root$1"; shift; done; shift
exec chroot "$root" "$@"
"""


class CheckError(Exception):
    """The Dockerfile, or the service that it makes, does not do what it should."""


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile."""

    instruction: str
    value: str


@dataclass(frozen=True, slots=True)
class Account:
    """A user inside a chroot."""

    uid: int
    gid: int
    home: str


@dataclass(slots=True)
class Stage:
    """A stage's file system, and the configuration of its image so far."""

    root: Path
    name: str
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: dict(_BASE_ENVIRONMENT))
    workdir: str = "/"
    user: str = "root"
    ports: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    stop_signal: signal.Signals = signal.SIGTERM

    def path(self, name: str) -> Path:
        """Where a path of the image lies outside; relative ones start at the working directory."""
        path = Path(os.path.normpath(f"{self.root}{Path('/', self.workdir, name)}"))
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise CheckError(f"{name} leads out of the chroot")
        return path

    def expand(self, text: str) -> list[str]:
        """The words of ``text``, with variables replaced as Docker replaces them."""
        if re.search(r"\$\{\w*[^\w}]", text):
            raise CheckError(f"only $NAME and ${{NAME}} are replaced here: {text}")
        return list(WordSplitter(text, args=self.arguments, envs=self.environment).split())

    def account(self) -> Account:
        """The account of ``USER``, from the image's own ``/etc/passwd`` and ``/etc/group``."""
        name, _, group = self.user.partition(":")
        account = self._find_account(name)
        return Account(account.uid, self._find_group(group), account.home) if group else account

    def _find_account(self, name: str) -> Account:
        for line in (self.root / "etc/passwd").read_text().splitlines():
            login, _, uid, gid, _, home, _ = line.split(":")
            if name in (login, uid):
                return Account(int(uid), int(gid), home)
        if not name.isdigit():
            raise CheckError(f"USER {name}: not in the image's /etc/passwd")
        return Account(int(name), 0, "/")

    def _find_group(self, name: str) -> int:
        for line in (self.root / "etc/group").read_text().splitlines():
            group, _, gid, _ = line.split(":")
            if name in (group, gid):
                return int(gid)
        if not name.isdigit():
            raise CheckError(f"USER :{name}: not in the image's /etc/group")
        return int(name)


@dataclass(slots=True)
class Build:
    """A build under way.

    Attributes:
        folder: holds the base (kept for the next time) and the stages.
        suite: Debian's release.
        mirror: Debian mirror; empty leaves it to debootstrap.
        arguments: values of ``--build-arg``.
        stages: those begun; the last one is being built.
    """

    folder: Path
    suite: str
    mirror: str
    arguments: dict[str, str]
    stages: list[Stage] = field(default_factory=list)

    @property
    def stage(self) -> Stage:
        if not self.stages:
            raise CheckError("no instruction may stand before the first FROM")
        return self.stages[-1]


def main() -> None:
    """Build, try, clean up; exit code 1 with a message if anything is amiss."""
    options = _parse_options()
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        _require_tools()
        with tempfile.TemporaryDirectory(prefix="chroot-check-", dir="/var/tmp") as temporary:
            build = Build(
                (options.root or Path(temporary)).resolve(), options.suite, options.mirror, dict(options.build_arg)
            )
            _check(build, CONTEXT / "Dockerfile")
    except subprocess.CalledProcessError as error:
        # Not the command itself: pip's settings in it may hold a password.
        raise SystemExit(f"error: exit code {error.returncode} of the step shown last") from None
    except (CheckError, OSError, ValueError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"error: {error}") from error
    print("The Dockerfile's steps make a service that works.")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.chroot_check", description=__doc__)
    parser.add_argument("--root", type=Path, help="folder to work in, some 15 GB; its base system is kept and reused")
    parser.add_argument("--suite", default="bookworm", help="Debian release with the image's Python (%(default)s)")
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
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise CheckError(f"not installed: {', '.join(missing)}")


def _check(build: Build, dockerfile: Path) -> None:
    stages = build.folder / "stages"
    if stages.exists():
        raise CheckError(f"{stages} exists: another check is running, or was killed; remove it")
    stages.mkdir(parents=True)
    try:
        _carry_out(build, _read_steps(dockerfile))
        _try_service(build.stage, CONTEXT / "examples/cat.jpg")
    finally:
        shutil.rmtree(stages)


def _read_steps(dockerfile: Path) -> list[Step]:
    structure = DockerfileParser(str(dockerfile)).structure
    return [Step(step["instruction"], step["value"]) for step in structure if step["instruction"] != "COMMENT"]


def _carry_out(build: Build, steps: Sequence[Step]) -> None:
    unknown = {step.instruction for step in steps} - _INSTRUCTIONS.keys()
    if unknown:
        raise CheckError(f"unknown instructions in the Dockerfile: {', '.join(sorted(unknown))}")
    for number, step in enumerate(steps, start=1):
        print(f"[{number}/{len(steps)}] {step.instruction} {step.value}", flush=True)
        begun = time.monotonic()
        _INSTRUCTIONS[step.instruction](build, step.value)
        print(f"[{number}/{len(steps)}] {time.monotonic() - begun:.1f} s", flush=True)


def _from(build: Build, value: str) -> None:
    image, name = image_from(value)
    match = re.fullmatch(r"python:(\d+\.\d+)-slim", image or "")
    if match is None or value.startswith("--"):
        raise CheckError(f"FROM {value}: only python:X.Y-slim can be stood in for")
    base = _base(build)
    stage = Stage(build.folder / "stages" / str(len(build.stages)), name or "")
    subprocess.run(["cp", "--archive", "--reflink=auto", base, stage.root], check=True)
    build.stages.append(stage)
    _make_mount_points(stage.root, [Path(name) for name in NETWORK_FILES])
    program = f"import sys; sys.exit(sys.version_info[:2] != tuple(map(int, '{match[1]}'.split('.'))))"
    if subprocess.run(_inside(stage, ["python", "-c", program], {}), check=False).returncode:
        raise CheckError(f"{image}: Debian {build.suite} has another Python")


def _base(build: Build) -> Path:
    base = build.folder / f"base-{build.suite}"
    if not base.exists():
        unfinished = base.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        include = f"--include={','.join(PACKAGES)}"
        mirror = [build.mirror] if build.mirror else []
        subprocess.run(["debootstrap", "--variant=minbase", include, build.suite, unfinished, *mirror], check=True)
        unfinished.rename(base)
    return base


def _arg(build: Build, value: str) -> None:
    for name, default in _pairs(build.stage, value):
        if "=" in value or name in build.arguments:
            build.stage.arguments[name] = build.arguments.get(name, default)


def _env(build: Build, value: str) -> None:
    build.stage.environment.update(_pairs(build.stage, value))


def _pairs(stage: Stage, value: str) -> list[tuple[str, str]]:
    stage.expand(value)
    pairs: list[tuple[str, str]] = extract_key_values(True, stage.arguments, stage.environment, value)
    return pairs


def _workdir(build: Build, value: str) -> None:
    stage = build.stage
    (directory,) = stage.expand(value)
    stage.path(directory).mkdir(parents=True, exist_ok=True)
    stage.workdir = str(Path(stage.workdir, directory))


def _user(build: Build, value: str) -> None:
    (build.stage.user,) = build.stage.expand(value)
    build.stage.account()


def _expose(build: Build, value: str) -> None:
    build.stage.ports += build.stage.expand(value)


def _stopsignal(build: Build, value: str) -> None:
    if value not in signal.Signals.__members__:
        raise CheckError(f"STOPSIGNAL {value}: not the name of a signal")
    build.stage.stop_signal = signal.Signals[value]


def _cmd(build: Build, value: str) -> None:
    build.stage.command = _command_line(value)


def _healthcheck(build: Build, value: str) -> None:
    match = re.fullmatch(r"(?:--(?:interval|timeout|start-period|start-interval|retries)=\S+\s+)*CMD\s+(.+)", value)
    if match is None:
        raise CheckError(f"HEALTHCHECK {value}: no command, or an unknown option")
    build.stage.healthcheck = _command_line(match[1])


def _command_line(value: str) -> list[str]:
    """Docker's two forms: a JSON list, or a line for the shell."""
    if not value.startswith("["):
        return ["/bin/sh", "-c", value]
    words = json.loads(value)
    if not words or not all(isinstance(word, str) for word in words):
        raise CheckError(f"not a list of words: {value}")
    return list(words)


def _run(build: Build, value: str) -> None:
    if value.startswith("--"):
        raise CheckError(f"RUN {value}: options are not carried out")
    stage = build.stage
    settings = {name: text for name, text in os.environ.items() if name.startswith("PIP_") or name in PROXIES}
    shown = [Path(name) for name in NETWORK_FILES] + _pip_paths()
    made = _make_mount_points(stage.root, shown)
    command = _inside(stage, _command_line(value), settings | stage.arguments, shown)
    try:
        # A process namespace, so that an interrupt ends the step's processes too.
        subprocess.run(["unshare", "--pid", "--fork", "--kill-child", *command], check=True)
    finally:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()


def _pip_paths() -> list[Path]:
    """What pip's settings here name on this disk: its own files, certificates, folders, local indexes."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    words = [word for line in listing.stdout.splitlines() for word in line.partition("=")[2].strip("'\"").split()]
    paths = {Path(name) for name in PIP_SETTINGS} | {path for word in words if (path := _local_path(word))}
    existing = sorted(path for path in paths if path.exists())
    return [path for path in existing if not any(parent in existing for parent in path.parents)]


def _local_path(word: str) -> Path | None:
    """The path that a word of pip's settings names; of a local index its parent: its pages link to files beside it."""
    url = urlsplit(word)
    if url.scheme == "file":
        return Path(unquote(url.path)).parent
    return Path(word) if word.startswith("/") and word != os.devnull else None


def _make_mount_points(root: Path, shown: Sequence[Path]) -> list[Path]:
    """Make what is missing of ``shown`` under ``root``; returns what was made, parents first."""
    made = []
    for path in shown:
        inside = root / path.relative_to("/")
        for parent in reversed(inside.relative_to(root).parents):
            if not (root / parent).exists():
                (root / parent).mkdir()
                made.append(root / parent)
        if not inside.exists():
            inside.mkdir() if path.is_dir() else inside.touch()
            made.append(inside)
    return made


def _inside(stage: Stage, command: Sequence[str], extra: dict[str, str], shown: Sequence[Path] = ()) -> list[str]:
    """The command line that runs ``command`` in the stage, as its user, in its directory and environment."""
    return _enter(stage, "rw", shown, [], command, extra)


def _inside_hardened(stage: Stage, command: Sequence[str], extra: dict[str, str]) -> list[str]:
    """As ``_inside``, with a read-only root, no capabilities and no way to new privileges."""
    drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return _enter(stage, "ro", [Path(name) for name in NETWORK_FILES], drop, command, extra)


def _enter(
    stage: Stage, mode: str, shown: Sequence[Path], drop: Sequence[str], command: Sequence[str], extra: dict[str, str]
) -> list[str]:
    account = stage.account()
    environment = extra | {"HOME": account.home} | stage.environment
    identity = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", *drop]
    variables = [f"{name}={value}" for name, value in environment.items()]
    return [
        *("unshare", "--mount", "/bin/sh", "-euc", _ENTER, "sh", str(stage.root), mode, *map(str, shown), "--"),
        *("/usr/bin/setpriv", *identity, "/usr/bin/env", "--ignore-environment", f"--chdir={stage.workdir}"),
        *variables,
        *command,
    ]


def _copy(build: Build, value: str) -> None:
    stage = build.stage
    options, words = _split_options(stage.expand(value))
    *sources, target = words
    origin, skips = _origin(build, options.pop("from", None))
    owner = _owner(stage, options.pop("chown", "0:0"))
    if options:
        raise CheckError(f"COPY {value}: unknown options {', '.join(options)}")
    into = target.endswith("/") or target == "." or len(sources) > 1 or stage.path(target).is_dir()
    for pattern in sources:
        copies = [
            (source, copy)
            for found in _matches(origin, pattern)
            for source, copy in _copies(found, stage.path(target), into)
            if not skips(source.relative_to(origin).as_posix())
        ]
        if not copies:
            raise CheckError(f"COPY {value}: {pattern} is missing, empty or in .dockerignore")
        for source, copy in copies:
            _copy_file(source, copy, owner)


def _matches(origin: Path, pattern: str) -> list[Path]:
    relative = os.path.normpath(pattern).lstrip("/")
    return [origin] if relative in ("", ".") else sorted(origin.glob(relative))


def _split_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    rest = [word for word in words if not word.startswith("--")]
    if len(rest) < 2 or rest[0].startswith("["):
        raise CheckError(f"COPY {' '.join(words)}: sources and a target are needed, not as JSON")
    return options, rest


def _origin(build: Build, name: str | None) -> tuple[Path, Callable[[str], bool]]:
    """Where files are copied from, and which are left out."""
    if name is None:
        return CONTEXT, _read_ignores(CONTEXT / ".dockerignore")
    for number, stage in enumerate(build.stages[:-1]):
        if name in (stage.name, str(number)):
            return stage.root, lambda _: False
    raise CheckError(f"COPY --from={name}: no such stage")


def _owner(stage: Stage, user: str) -> tuple[int, int]:
    account = Stage(stage.root, stage.name, user=user).account()
    return account.uid, account.gid


def _read_ignores(file: Path) -> Callable[[str], bool]:
    """A test for paths, after ``.dockerignore``: the last pattern that matches a path or a folder above it decides."""
    lines = [line.strip() for line in file.read_text().splitlines()] if file.exists() else []
    rules = [
        (_translate(line.removeprefix("!").strip("/")), not line.startswith("!"))
        for line in lines
        if line and not line.startswith("#")
    ]

    def ignored(path: str) -> bool:
        return next((ignore for pattern, ignore in reversed(rules) if pattern.fullmatch(path)), False)

    return ignored


def _translate(pattern: str) -> re.Pattern[str]:
    if "[" in pattern or "\\" in pattern:
        raise CheckError(f".dockerignore: {pattern}: only *, ** and ? are understood")
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(wildcards.get(part, re.escape(part)) for part in parts) + "(?:/.*)?")


def _copies(source: Path, target: Path, into: bool) -> Iterator[tuple[Path, Path]]:
    """Pairs of files: of a folder the contents are copied, as Docker does."""
    if source.is_symlink() or not source.is_dir():
        yield source, target / source.name if into else target
        return
    for path in source.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            yield path, target / path.relative_to(source)


def _copy_file(source: Path, copy: Path, owner: tuple[int, int]) -> None:
    for parent in reversed(copy.parents):
        if not parent.exists():
            parent.mkdir(mode=0o755)
            os.chown(parent, *owner)
    shutil.copy2(source, copy, follow_symlinks=False)
    os.chown(copy, *owner, follow_symlinks=False)


def _try_service(stage: Stage, photograph: Path) -> None:
    if not stage.command or not stage.healthcheck:
        raise CheckError("the last stage lacks a CMD or a HEALTHCHECK")
    if stage.account().uid == 0:
        raise CheckError("the service would run as root")
    port = _free_port()
    settings = {"FCN_HOST": "127.0.0.1", "FCN_PORT": str(port)}
    stage.environment.update(settings)
    print(f"Starting {stage.command} as {stage.account()} (EXPOSE {' '.join(stage.ports)})", flush=True)
    with subprocess.Popen(_inside_hardened(stage, stage.command, {})) as process:
        try:
            _wait_until_healthy(stage, process)
            _segment(port, photograph)
            _stop(stage, process)
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_healthy(stage: Stage, process: subprocess.Popen[bytes]) -> None:
    begun = time.monotonic()
    while (check := _run_healthcheck(stage)).returncode:
        if process.poll() is not None:
            raise CheckError(f"the service ended with exit code {process.returncode} before it was healthy")
        if time.monotonic() - begun > START_TIMEOUT_S:
            raise CheckError(f"not healthy after {START_TIMEOUT_S:g} s: {check.stderr[-500:]}")
        time.sleep(1)
    print(f"Healthy after {time.monotonic() - begun:.1f} s", flush=True)


def _run_healthcheck(stage: Stage) -> subprocess.CompletedProcess[str]:
    command = _inside_hardened(stage, stage.healthcheck, {})
    return subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)


def _segment(port: int, photograph: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    connection.request("POST", "/segment", photograph.read_bytes(), headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise CheckError(f"/segment answered {response.status}: {body[:500].decode(errors='replace')}")
    with Image.open(io.BytesIO(body)) as mask, Image.open(photograph) as image:
        if mask.format != "PNG" or mask.size != image.size:
            raise CheckError(f"/segment answered {mask.format} of {mask.size}, not PNG of {image.size}")
        print(f"/segment answered a PNG of {mask.size}", flush=True)


def _stop(stage: Stage, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(stage.stop_signal)
    code = process.wait(timeout=STOP_TIMEOUT_S)
    if code != 0:
        raise CheckError(f"exit code {code} after {stage.stop_signal.name}, not 0")
    print(f"Exit code 0 after {stage.stop_signal.name}", flush=True)


_INSTRUCTIONS: dict[str, Callable[[Build, str], None]] = {
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "RUN": _run,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "WORKDIR": _workdir,
}


if __name__ == "__main__":
    main()
