"""What each instruction of a Dockerfile does."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dockerfile_parse.util import extract_key_values

from deploy.chroot.build import Build
from deploy.chroot.copying import Origin, copy
from deploy.chroot.dockerfile import Section
from deploy.chroot.errors import CheckError
from deploy.chroot.ignores import read_ignores
from deploy.chroot.inside import NETWORK_FILES, inside, make_mount_points
from deploy.chroot.pip_settings import pip_environment, pip_paths
from deploy.chroot.stage import Stage


def carry_out(build: Build, sections: Sequence[Section]) -> Stage:
    """Build all of them; the last one's stage."""
    unknown = {step.instruction for section in sections for step in section.steps} - _INSTRUCTIONS.keys()
    if unknown:
        raise CheckError(f"unknown instructions in the Dockerfile: {', '.join(sorted(unknown))}")
    for section in sections:
        print(f"[{section.name}] FROM {section.origin}", flush=True)
        build.begin(section)
        for step in section.steps:
            print(f"[{section.name}] {step.instruction} {step.value}", flush=True)
            begun = time.monotonic()
            _INSTRUCTIONS[step.instruction](build, step.value)
            print(f"[{section.name}] {time.monotonic() - begun:.1f} s", flush=True)
    return build.stage


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
    settings = pip_environment()
    shown = [*NETWORK_FILES, *pip_paths()]
    made = make_mount_points(stage.root, shown)
    command = inside(stage, _command_line(value), settings | stage.arguments, shown)
    try:
        # A process namespace, so that an interrupt ends the step's processes too.
        subprocess.run(["unshare", "--pid", "--fork", "--kill-child", *command], check=True)
    finally:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()


def _copy(build: Build, value: str) -> None:
    stage = build.stage
    options, words = _split_options(stage.expand(value))
    origin = _origin(build, options.pop("from", None))
    account = Stage(stage.root, stage.name, user=options.pop("chown", "0:0")).account()
    if options:
        raise CheckError(f"COPY {value}: unknown options {', '.join(options)}")
    copy(stage, words, origin, (account.uid, account.gid))


def _split_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    rest = [word for word in words if not word.startswith("--")]
    if len(rest) < 2 or rest[0].startswith("["):
        raise CheckError(f"COPY {' '.join(words)}: sources and a target are needed, not as JSON")
    return options, rest


def _origin(build: Build, name: str | None) -> Origin:
    if name is None:
        return Origin(build.context, read_ignores(build.context / ".dockerignore"), linked=False)
    if name not in build.stages or build.stages[name] is build.stage:
        raise CheckError(f"COPY --from={name}: no such stage")
    return Origin(build.stages[name].root, lambda _: False, linked=True)


_INSTRUCTIONS: dict[str, Callable[[Build, str], None]] = {
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "RUN": _run,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "WORKDIR": _workdir,
}
