"""Checks shared by the manifests of the chart and of the example for KServe."""

import re

import kubernetes_validate

from tests.deploy.kubernetes.chart import KUBERNETES, Manifest, of_kind

VERSIONS = ("1.30.0", "1.32.0", "1.34.0", "1.37.0")
"""Versions of Kubernetes, from the oldest that the chart allows to the newest with published schemas."""


def validate(manifest: Manifest, version: str) -> None:
    """Raise ValidationError if a field is invalid or unknown."""
    kubernetes_validate.validate(manifest, version.rpartition(".")[0], strict=True)


def pod(manifests: list[Manifest]) -> Manifest:
    found: Manifest = of_kind(manifests, "Deployment")["spec"]["template"]
    return found


def container(manifests: list[Manifest]) -> Manifest:
    (found,) = pod(manifests)["spec"]["containers"]
    return dict(found)


def assert_is_the_alerts(job: str) -> None:
    """Require that Prometheus' job name of the pods is the one that the alerts use."""
    alerts = (KUBERNETES.parent / "prometheus/alerts.yml").read_text()
    assert set(re.findall(r'job="(\w+)"', alerts)) == {job}
