"""``docker compose`` on a copy of the files that it reads: without the user's settings, on free ports."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx2

from tests.ecosystem.ports import free_ports

ROOT = Path(__file__).parents[2]

_COMMAND_S = 600
"""Timeout of a command in seconds."""

_OWN = ("COMPOSE_", "FCN_", "GRAFANA_", "NGINX_", "PROMETHEUS_", "SEGMENTATION_")
"""Prefixes of environment variables that docker-compose.yml reads or that are settings."""


class Compose:
    """A Compose project, which is taken down on exit.

    Args:
        folder: folder of the copy.
        variables: variables of docker-compose.yml.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.name = f"fcn-test-{uuid4().hex[:8]}"
        for name in ("docker-compose.yml", ".env"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
        self.port, self.prometheus_port, grafana_port = free_ports(3)
        ports = {"FCN_PORT": self.port, "PROMETHEUS_PORT": self.prometheus_port, "GRAFANA_PORT": grafana_port}
        bare = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
        self._environment = {**bare, **{name: str(port) for name, port in ports.items()}, **variables}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # As in docs/deploy.md, and with the volumes.
        self("--profile", "*", "down", "--volumes", "--timeout", "10")

    def __call__(self, *words: str) -> str:
        """Run a Compose command, which must succeed, and return its output."""
        self.allow_reading()
        command = ["docker", "compose", "--project-name", self.name, *words]
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result.stdout

    def up(self, *profiles: str, options: tuple[str, ...] = ()) -> None:
        """Start these profiles, and wait until all containers are healthy."""
        chosen = [word for profile in profiles for word in ("--profile", profile)]
        self(*chosen, "up", "--detach", "--wait", "--no-build", *options)

    def containers(self) -> list[dict[str, Any]]:
        lines = self("--profile", "*", "ps", "--all", "--format", "json").splitlines()
        return [json.loads(line) for line in lines]

    def client(self, **headers: str) -> httpx2.Client:
        """A client of the published port."""
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=300, trust_env=False)

    def allow_reading(self) -> None:
        """Make mounted files readable by all: the containers' user does not exist on this machine."""
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
