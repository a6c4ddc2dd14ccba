"""Grafana accepts the dashboard, and its queries use only metrics that the service has.

tests/ecosystem/test_prometheus.py sends each of its queries to a real Prometheus.
"""

import itertools
import re

import pytest
import yaml

from tests.app.observability.exposition import Exposition
from tests.deploy.dashboard import DASHBOARD, GRAFANA, PANELS, QUERIES, Query

SELECTOR = re.compile(r"\b(fcn_\w+)(?:\{([^}]*)\})?")
OF_HISTOGRAMS = re.compile(r"_(bucket|sum|count)$")


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    cells: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not own & cells, panel["title"]
        cells |= own


def test_all_is_asked_of_the_data_source_that_is_provisioned() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    used = [part["datasource"] for panel in PANELS if panel["type"] != "row" for part in (panel, *panel["targets"])]
    used += [part["datasource"] for part in (*DASHBOARD["templating"]["list"], *DASHBOARD["annotations"]["list"])]
    assert used
    assert all(each == {"type": source["type"], "uid": source["uid"]} for each in used)
    prometheus = yaml.safe_load((GRAFANA.parent / "prometheus/prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]


def test_panels_say_in_what_unit_and_ask_each_query_once() -> None:
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0


def test_it_has_a_row_for_each_thing_that_can_go_wrong() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Traffic", "Refused and lost", "Queue", "Time", "Work", "Memory", "Faults and changes"]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.panel)
def test_each_measure_that_is_asked_for_is_one_that_the_service_tells(told: Exposition, query: Query) -> None:
    for name, matchers in SELECTOR.findall(query.expression):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
        assert labels.pop("job") == "segmentation"
        if name == "fcn_device_memory_bytes":  # absent without a GPU
            assert query.expression.endswith("or vector(0)")
            continue
        assert told.series(name, **labels), name


def test_each_measure_that_the_service_tells_is_drawn(told: Exposition) -> None:
    families = {OF_HISTOGRAMS.sub("", sample.name) for sample in told.samples if sample.name.startswith("fcn_")}
    families = {name for name in families if not name.endswith("_created")}
    drawn = {OF_HISTOGRAMS.sub("", name) for query in QUERIES for name, _ in SELECTOR.findall(query.expression)}
    assert families <= drawn
