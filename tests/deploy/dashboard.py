"""The Grafana dashboard, parsed for tests."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[2] / "deploy/grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards/segmentation.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


@dataclass(frozen=True, slots=True)
class Query:
    """A panel's Prometheus query."""

    panel: str
    expression: str

    def over(self, window: str) -> str:
        """The expression with Grafana's variables filled in: all services, and rates over a window."""
        return self.expression.replace("$__rate_interval", window).replace("$instance", ".*")


QUERIES = [
    *(Query(panel["title"], target["expr"]) for panel in PANELS for target in panel.get("targets", [])),
    *(Query(annotation["name"], annotation["expr"]) for annotation in DASHBOARD["annotations"]["list"]),
]
