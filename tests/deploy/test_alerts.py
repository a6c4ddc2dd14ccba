import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from tests.app.observability.exposition import Exposition

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
TESTS = (PROMETHEUS / "alerts_test.yml").read_text()

# Series names and their label matchers.
SELECTOR = re.compile(r"\b((?:fcn|process)_\w+)(?:\{([^}]*)\})?")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize(
    "check",
    [["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]],
    ids=" ".join,
)
def test_promtool_finds_no_fault(check: list[str]) -> None:
    result = subprocess.run(["promtool", *check], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_alert_says_what_is_wrong_and_what_to_do_and_is_tested(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert f'ALERTS{{alertname="{rule["alert"]}",alertstate="firing"' in TESTS
    named = re.findall(r"FCN_(\w+)", " ".join(rule["annotations"].values()))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_series_that_an_alert_asks_for_is_one_that_the_service_tells(
    told: Exposition, rule: dict[str, Any]
) -> None:
    for text in (rule["expr"], *rule["annotations"].values()):
        for name, matchers in SELECTOR.findall(text):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
            # Prose calls a histogram by the common prefix of its series.
            names = (name, f"{name}_count")
            assert any(told.series(candidate, **labels) for candidate in names), f"{name} {labels}"
