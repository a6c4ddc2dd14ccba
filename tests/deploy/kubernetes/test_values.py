"""The chart's values: which are valid, and that the defaults suit the service."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner, Result

from app import __version__
from app.pipeline.memory_bound import MemoryBound
from app.settings import Settings
from tests.deploy.kubernetes.chart import CHART, KUBERNETES, size_bytes, values

SCHEMA = CHART / "values.schema.json"
SET_BY_OTHER_VALUES = {"host", "port", "workers", "device", "threads", "drain_timeout_s", "api_keys_file", "weights"}

FILES = ["values.yaml", "values-gpu.yaml"]


def check(file: Path) -> Result:
    return CliRunner().invoke(check_jsonschema, ["--schemafile", str(SCHEMA), str(file)])


@pytest.mark.parametrize("name", FILES)
def test_the_values_are_as_their_schema_says(name: str) -> None:
    result = check(CHART / name)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {"FCN_QUEUE_LENGHT": "64"}},  # misspelt, so the service would ignore it
        {"settings": {"FCN_MAX_UPLOAD_BYTES": 33554432}},  # Helm writes 3.3554432e+07
        {"settings": {"FCN_WORKERS": "2"}},  # the memory limit is for one worker
        {"image": {"tag": "latest"}},
        {"cpus": 0.5},
        {"memory": "6.3"},
        {"device": "auto"},
        {"gpu": {"count": 2}},
        {"keys": {"secretName": "keys", "file": "../passwd"}},
        {"replica": 3},
    ],
    ids=json.dumps,
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(wrong))
    assert check(file).exit_code == 1


def test_every_setting_can_be_set_in_one_place() -> None:
    named = json.loads(SCHEMA.read_text())["properties"]["settings"]["propertyNames"]["enum"]
    settable = set(Settings.model_fields) - SET_BY_OTHER_VALUES
    assert named == sorted(f"FCN_{name.upper()}" for name in settable)


def test_no_file_names_a_setting_that_there_is_not() -> None:
    files = [*CHART.rglob("*.yaml"), *CHART.rglob("*.json"), *KUBERNETES.glob("*.yaml")]
    named = {name for file in files for name in re.findall(r"\bFCN_([A-Z_]+)\b", file.read_text())}
    assert {"THREADS", "API_KEYS_FILE", "WEIGHTS"} < named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_the_chart_has_the_services_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
    assert values()["image"]["tag"] == ""


def test_the_drain_is_the_services_own() -> None:
    assert values()["drainTimeoutSeconds"] == Settings().drain_timeout_s


@pytest.mark.parametrize("name", FILES)
def test_the_memory_is_above_the_services_bound(name: str) -> None:
    found = values() | values(name)
    own = {key.removeprefix("FCN_").lower(): value for key, value in found["settings"].items()}
    settings = Settings.model_validate({"threads": found["cpus"], **own})
    is_cuda = found["device"] == "cuda"
    bound = MemoryBound.of(
        settings,
        decoders=2 + settings.concurrency + 1,
        headers=2,
        batch_pixels=(1 << 23) * is_cuda,
        cores=found["cpus"],
        is_cuda=is_cuda,
    )
    assert size_bytes(found["memory"]) > 1.05 * bound.total_bytes


@pytest.mark.parametrize("name", FILES)
def test_the_queue_holds_what_the_autoscaler_waits_for(name: str) -> None:
    found = values() | values(name)
    length = int(found["settings"].get("FCN_QUEUE_LENGTH", Settings().queue_length))
    assert found["autoscaling"]["targetQueueDepth"] <= length / 4
