"""The example for KServe, as far as it can be tested without KServe."""

from typing import Any

from app.settings import Settings
from tests.deploy.kubernetes.chart import KUBERNETES, documents, environment, of_kind, routes, settings, values

MANIFESTS = documents((KUBERNETES / "kserve.yaml").read_text())
PREDICTOR: dict[str, Any] = of_kind(MANIFESTS, "InferenceService")["spec"]["predictor"]
(CONTAINER,) = PREDICTOR["containers"]


def test_probes_ask_routes_of_the_protocol() -> None:
    probes = [CONTAINER[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    asked = {probe["httpGet"]["path"] for probe in probes}
    assert asked == {"/v2/health/ready", "/v2/health/live"}
    assert asked <= routes()
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"] for port in CONTAINER["ports"]}


def test_the_protocol_and_the_port_are_called_as_kserve_knows_them() -> None:
    assert CONTAINER["name"] == "kserve-container"
    assert environment(CONTAINER)["PROTOCOL"] == "v2"
    (port,) = CONTAINER["ports"]
    assert port["name"] == "http1"
    assert str(port["containerPort"]) == settings(CONTAINER)["port"]


def test_a_request_is_given_longer_than_the_service_takes() -> None:
    own = Settings.model_validate(settings(CONTAINER))
    assert PREDICTOR["timeout"] > own.deadline_s
    pre_stop = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert PREDICTOR["terminationGracePeriodSeconds"] == pre_stop + 2 * own.drain_timeout_s + 15


def test_it_is_scaled_as_the_chart_is() -> None:
    autoscaler = of_kind(MANIFESTS, "HorizontalPodAutoscaler")["spec"]
    own = values()["autoscaling"]
    assert autoscaler["minReplicas"] == PREDICTOR["minReplicas"] == own["minReplicas"]
    assert autoscaler["maxReplicas"] == PREDICTOR["maxReplicas"] == own["maxReplicas"]
    assert autoscaler["metrics"][0]["pods"]["target"]["averageValue"] == str(own["targetQueueDepth"])
    name = of_kind(MANIFESTS, "InferenceService")["metadata"]["name"]
    assert autoscaler["scaleTargetRef"]["name"] == f"{name}-predictor"
