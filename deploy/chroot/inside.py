"""Command lines that run inside a stage, each in a mount namespace of its own, so that no mount can be left over."""

from collections.abc import Sequence
from pathlib import Path

from deploy.chroot.stage import Stage

NETWORK_FILES = (Path("/etc/hosts"), Path("/etc/resolv.conf"))

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


def make_mount_points(root: Path, shown: Sequence[Path]) -> list[Path]:
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


def inside(stage: Stage, command: Sequence[str], extra: dict[str, str], shown: Sequence[Path] = ()) -> list[str]:
    """The command line that runs ``command`` in the stage, as its user, in its directory and environment."""
    return _enter(stage, "rw", shown, [], command, extra)


def inside_hardened(stage: Stage, command: Sequence[str], extra: dict[str, str]) -> list[str]:
    """As ``inside``, with a read-only root, no capabilities and no way to new privileges."""
    drop = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return _enter(stage, "ro", NETWORK_FILES, drop, command, extra)


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
