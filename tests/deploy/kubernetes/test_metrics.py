"""The autoscaler's metrics are metrics of the service."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from tests.app.observability.exposition import Exposition
from tests.deploy.kubernetes.chart import CHART, KUBERNETES, documents, of_kind, size_bytes, values

HPA = (CHART / "templates/horizontalpodautoscaler.yaml").read_text()
(RULE,) = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["custom"]


@pytest.fixture(scope="module")
def told(examples: Path) -> Exposition:
    """Metrics of a service with the chart's settings that has responded to a request."""
    found = values()
    settings = Settings(threads=found["cpus"], device=found["device"])
    with TestClient(create_app(settings)) as client:
        assert client.post("/segment", content=(examples / "cat.jpg").read_bytes()).status_code == 200
        return Exposition(client.get("/metrics").text)


def series() -> str:
    """Name of the series that the adapter's rule looks for."""
    match = re.fullmatch(r"""(\w+)\{namespace!="",pod!=""\}""", RULE["seriesQuery"])
    assert match
    return match[1]


def test_the_rule_is_of_a_measure_of_the_service(told: Exposition) -> None:
    assert {sample.labels["queue"] for sample in told.series(series())} == {"small", "large"}
    # These labels must be the pod's: a metric's own label of the same name would conflict.
    assert not {"namespace", "pod"} & told.series(series())[0].labels.keys()


def metric(hpa: dict[str, Any]) -> str:
    (found,) = hpa["spec"]["metrics"]
    assert found["type"] == "Pods"
    name: str = found["pods"]["metric"]["name"]
    return name


def test_autoscalers_ask_for_what_the_rule_makes() -> None:
    assert re.fullmatch(RULE["name"]["matches"], series())
    made = RULE["name"]["as"]
    assert re.findall(r"name: (fcn_\w+)", HPA) == [made]
    kserve = documents((KUBERNETES / "kserve.yaml").read_text())
    assert metric(of_kind(kserve, "HorizontalPodAutoscaler")) == made


def test_the_memory_is_above_what_the_service_says_it_may_take(told: Exposition) -> None:
    bound = told.value("fcn_memory_bound_bytes")
    memory = size_bytes(values()["memory"])
    assert 1.05 * bound < memory < 1.2 * bound
