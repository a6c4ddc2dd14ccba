"""The example for KServe: valid for several versions of Kubernetes, with the chart's settings."""

import re
from typing import Any

import pytest

from tests.deploy.kubernetes.chart import KUBERNETES, Manifest, documents, needs_helm, of_kind, render, routes, settings
from tests.ecosystem.manifests import VERSIONS, assert_is_the_alerts, container, pod, validate

pytestmark = needs_helm

KSERVE = documents((KUBERNETES / "kserve.yaml").read_text())
KSERVES_OWN = {"minReplicas", "maxReplicas", "timeout"}
"""Fields of a predictor that are KServe's own; the others are those of a pod."""


@pytest.fixture(scope="module")
def defaults() -> list[Manifest]:
    return render()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_predictor_of_kserve_is_a_valid_pod(version: str) -> None:
    predictor: dict[str, Any] = of_kind(KSERVE, "InferenceService")["spec"]["predictor"]
    spec = {name: value for name, value in predictor.items() if name not in KSERVES_OWN}
    validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "segmentation"}, "spec": spec}, version)
    validate(of_kind(KSERVE, "HorizontalPodAutoscaler"), version)


def test_the_predictor_of_kserve_is_confined_and_set_as_the_chart_is(defaults: list[Manifest]) -> None:
    predictor = of_kind(KSERVE, "InferenceService")["spec"]["predictor"]
    (theirs,) = predictor["containers"]
    ours, spec = container(defaults), pod(defaults)["spec"]
    for name in ("image", "imagePullPolicy", "resources", "securityContext", "lifecycle"):
        assert theirs[name] == ours[name], name
    for name in ("securityContext", "terminationGracePeriodSeconds", "automountServiceAccountToken"):
        assert predictor[name] == spec[name], name
    assert settings(theirs) == settings(ours)
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert {**theirs[name], "httpGet": None} == {**ours[name], "httpGet": None}
    autoscaler = of_kind(KSERVE, "HorizontalPodAutoscaler")["spec"]
    own = of_kind(defaults, "HorizontalPodAutoscaler")["spec"]
    assert {**autoscaler, "scaleTargetRef": None} == {**own, "scaleTargetRef": None}


def test_the_autoscaler_of_kserve_is_told_of_its_pods() -> None:
    service = of_kind(KSERVE, "InferenceService")
    (theirs,) = service["spec"]["predictor"]["containers"]
    monitor = of_kind(KSERVE, "PodMonitor")["spec"]
    # KServe labels the predictor's pods with the service's name.
    labels = {"serving.kserve.io/inferenceservice": service["metadata"]["name"]}
    assert monitor["selector"] == {"matchLabels": labels}
    assert_is_the_alerts(labels[monitor["jobLabel"]])
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["path"] in routes()
    assert endpoint["port"] == theirs["ports"][0]["name"]


def test_kserves_own_library_knows_every_field() -> None:
    models = pytest.importorskip("kserve.models", reason="the package kserve is not installed; it pins other versions")
    client = pytest.importorskip("kubernetes.client")

    def known(kind: str) -> Any:
        return getattr(models, kind, None) or getattr(client, kind, None)

    def check(value: Any, kind: str, where: str) -> None:
        if match := re.fullmatch(r"list\[(.*)\]", kind):
            for item in value:
                check(item, match[1], where)
        elif (model := known(kind)) is not None and hasattr(model, "openapi_types"):
            fields = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
            for name, item in value.items():
                assert name in fields, f"{where}: {kind} has no {name}"
                check(item, fields[name], f"{where}.{name}")

    check(of_kind(KSERVE, "InferenceService"), "V1beta1InferenceService", "InferenceService")
