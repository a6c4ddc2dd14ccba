"""What the chart and the example for KServe make, looked at in the same way."""

import re

import kubernetes_validate

from tests.deploy.kubernetes.chart import KUBERNETES, Manifest, of_kind

VERSIONS = ("1.30.0", "1.32.0", "1.34.0", "1.37.0")
"""The oldest that the chart allows, to the newest whose schemas there are."""


def validate(manifest: Manifest, version: str) -> None:
    """Raises ValidationError if a field is wrong, or is none."""
    kubernetes_validate.validate(manifest, version.rpartition(".")[0], strict=True)


def pod(manifests: list[Manifest]) -> Manifest:
    found: Manifest = of_kind(manifests, "Deployment")["spec"]["template"]
    return found


def container(manifests: list[Manifest]) -> Manifest:
    (found,) = pod(manifests)["spec"]["containers"]
    return dict(found)


def assert_is_the_alerts(job: str) -> None:
    """That Prometheus would know the pods by the name that the alerts have for them."""
    alerts = (KUBERNETES.parent / "prometheus/alerts.yml").read_text()
    assert set(re.findall(r'job="(\w+)"', alerts)) == {job}
