"""The chart, and the manifests that Helm renders from it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.api.application import create_app
from app.settings import Settings

KUBERNETES = Path(__file__).parents[3] / "deploy/kubernetes"
CHART = KUBERNETES / "chart"
RELEASE = "vision"

Manifest = dict[str, Any]

HELM = shutil.which("helm") or shutil.which("helm", path=str(Path(sys.executable).parent))
"""Path of the program ``helm``; None if it is not installed."""

needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not installed, neither on the path nor beside Python")


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``helm``, which needs no cluster here."""
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def render(*arguments: str, version: str = "1.34.0") -> list[Manifest]:
    """Render the chart's manifests.

    Args:
        arguments: arguments of ``helm template``, such as ``--set``.
        version: version of Kubernetes.
    """
    result = helm("template", RELEASE, str(CHART), "--kube-version", version, *arguments)
    assert result.returncode == 0, result.stderr
    return documents(result.stdout)


def documents(text: str) -> list[Manifest]:
    """Documents of a YAML stream, without empty ones."""
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    """The one manifest of a kind."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def values(name: str = "values.yaml") -> Manifest:
    """Content of one of the chart's values files."""
    found: Manifest = yaml.safe_load((CHART / name).read_text())
    return found


def environment(container: Manifest) -> dict[str, str]:
    """Environment variables of a container."""
    return {variable["name"]: variable["value"] for variable in container["env"]}


def settings(container: Manifest) -> dict[str, str]:
    """The service's settings among a container's variables, as ``Settings`` names them."""
    prefix = "FCN_"
    variables = environment(container).items()
    return {name.removeprefix(prefix).lower(): value for name, value in variables if name.startswith(prefix)}


def routes() -> set[str]:
    """Paths of the service that accept GET."""
    paths = create_app(Settings()).openapi()["paths"]
    return {path for path, methods in paths.items() if "get" in methods}


def size_bytes(quantity: str) -> int:
    """Bytes of a memory quantity in Kubernetes' notation."""
    units = {"Mi": 2**20, "Gi": 2**30, "M": 10**6, "G": 10**9}
    (unit,) = (unit for unit in units if quantity.endswith(unit))
    return int(quantity.removesuffix(unit)) * units[unit]
