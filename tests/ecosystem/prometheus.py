"""A real Prometheus."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
import yaml

from benchmarks.waiting import wait_until
from tests.ecosystem.ports import free_port

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: prometheus)"
)


class Prometheus:
    """Prometheus on a free port; ready when entered.

    Args:
        folder: folder for its files; it contains those that the configuration names.
        configuration: its configuration.
    """

    def __init__(self, folder: Path, configuration: dict[str, Any]) -> None:
        self._folder = folder
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))

    def __enter__(self) -> Self:
        address = f"127.0.0.1:{free_port()}"
        with (self._folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={address}",
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "GOMAXPROCS": "1"},
            )
        self._client = httpx2.Client(base_url=f"http://{address}")
        try:
            wait_until(self._is_ready, timeout_s=60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.process.terminate()
        self.process.wait(timeout=20)

    def ask(self, path: str, **parameters: str) -> Any:
        document = self._client.get(path, params=parameters).json()
        assert document["status"] == "success", document
        return document["data"]

    def series(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Evaluate a query now; return the labels and the value of each series."""
        found = self.ask("/api/v1/query", query=expression)
        assert found["resultType"] == "vector", expression
        return [(series["metric"], float(series["value"][1])) for series in found["result"]]

    def values(self, expression: str) -> list[float]:
        """Evaluate a query now; return the value of each series."""
        return [value for _, value in self.series(expression)]

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, (self._folder / "log").read_text()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False
