"""A stage of a Dockerfile: a file system, and the configuration of its image so far."""

import os
import re
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

from dockerfile_parse.util import WordSplitter

from deploy.chroot.errors import CheckError

_BASE_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
}


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

    def successor(self, root: Path, name: str) -> "Stage":
        """The stage that ``FROM`` this one begins."""
        return replace(
            self,
            root=root,
            name=name,
            arguments=dict(self.arguments),
            environment=dict(self.environment),
            ports=list(self.ports),
        )

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
