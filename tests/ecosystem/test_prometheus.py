"""A real Prometheus with compose's configuration scrapes a real service and evaluates the dashboard's queries."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.waiting import wait_until
from tests.app.load import Load
from tests.app.server_process import ServerProcess
from tests.deploy.dashboard import QUERIES, Query
from tests.ecosystem.prometheus import Prometheus, needs_prometheus

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"
WINDOW = "10s"

pytestmark = needs_prometheus


def _configuration(service: ServerProcess) -> dict[str, Any]:
    """Compose's configuration, as far as possible, with a service in place of compose's names."""
    configuration: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    # Intervals of 1 s instead of 15 s.
    configuration["global"] = dict.fromkeys(configuration["global"], "1s")
    (job,) = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{service.port}"]}]
    return configuration


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, server: ServerProcess, cat: bytes) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the service several times while it served segmentations."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copytree(PROMETHEUS, folder, dirs_exist_ok=True)
    with Prometheus(folder, _configuration(server)) as prometheus, Load(server, cat):
        wait_until(lambda: prometheus.values(f"rate(fcn_batch_images_count[{WINDOW}])") > [0], timeout_s=60)
        yield prometheus


def test_the_service_is_found_by_the_job_that_alerts_name(prometheus: Prometheus) -> None:
    (target,) = prometheus.ask("/api/v1/targets")["activeTargets"]
    assert target["labels"]["job"] == "segmentation"
    assert (target["health"], target["lastError"]) == ("up", "")


def test_all_alerts_are_loaded_and_none_fires(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.ask("/api/v1/rules")["groups"] for rule in group["rules"]]
    expected = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    assert {rule["name"] for rule in rules} == {rule["alert"] for group in expected for rule in group["rules"]}
    wait_until(lambda: all(rule["health"] == "ok" for rule in _rules(prometheus)))
    assert [rule["name"] for rule in _rules(prometheus) if rule["state"] == "firing"] == []


def _rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.ask("/api/v1/rules")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    "query", [query for query in QUERIES if query.panel != "Starts"], ids=lambda query: query.panel
)
def test_each_query_of_the_dashboard_has_an_answer(prometheus: Prometheus, query: Query) -> None:
    def values() -> list[float]:
        return prometheus.values(query.over(WINDOW))

    # Quantiles of events that did not happen are NaN; under load, every measured event happens.
    wait_until(lambda: bool(values()) and any(map(math.isfinite, values())))


def test_a_start_is_marked_once_it_is_one(prometheus: Prometheus) -> None:
    (starts,) = [query for query in QUERIES if query.panel == "Starts"]
    assert prometheus.values(starts.over(WINDOW)) == []
    assert prometheus.values(starts.over(WINDOW).replace(" > 0", "")) == [0]


def test_what_the_dashboard_says_is_what_happens(prometheus: Prometheus) -> None:
    def value(panel: str, number: int = 0) -> float:
        query = [query for query in QUERIES if query.panel == panel][number]
        (found,) = prometheus.values(query.over(WINDOW))
        return found

    assert value("Services") == 1
    assert value("Alerts") == 0
    assert value("Server errors") == 0
    assert value("Segmentations") > 0
    # A photograph of 451 x 300.
    assert value("Pixels") == pytest.approx(value("Segmentations") * 451 * 300 / 1e6, rel=0.5)
    assert 0.1 < value("Image sizes") < 0.25
    assert value("Resident memory and its bound") < value("Resident memory and its bound", 1)
    assert 0 < value("Responses of /segment") <= value("Responses of /segment", 1) <= value("Responses of /segment", 2)
