"""Docker Compose itself reads docker-compose.yml, for each profile; it needs no engine for that."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[2]
PROGRAM = shutil.which("docker-compose")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="docker-compose is not on the PATH: make test-ecosystem")

PROFILES: dict[str, dict[str, int | None]] = {
    "gpu": {"segmentation": 8000},
    "cpu": {"segmentation-cpu": 8000},
    "scale": {"nginx": 8000, "replica": None},
    "observability": {"prometheus": 9090, "grafana": 3000},
    "train": {"train": None, "train-cpu": None},
}
"""Profile -> the services that it starts, each with its published port."""

SERVING = ("segmentation", "segmentation-cpu", "replica")

Service = dict[str, Any]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that compose reads, without the user's settings."""
    for name in ("docker-compose.yml", ".env"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def services(folder: Path, *profiles: str, **variables: str) -> dict[str, Service]:
    """Services that would be started, by name."""
    assert PROGRAM is not None
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "FCN_"))}
    result = subprocess.run(
        [PROGRAM, *chosen, "config", "--format", "json"],
        cwd=folder,
        env={**bare, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, Service] = json.loads(result.stdout).get("services", {})
    return found


def published(service: Service) -> list[int]:
    return [int(port["published"]) for port in service.get("ports", [])]


def test_the_gpu_is_what_up_means(checkout: Path) -> None:
    assert services(checkout) == services(checkout, "gpu")
    (service,) = services(checkout).values()
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    # Without a GPU it exits with a message rather than serve on the CPU.
    assert service["environment"]["FCN_DEVICE"] == "cuda"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_starts_its_own_services_on_their_ports(checkout: Path, profile: str) -> None:
    found = services(checkout, profile)
    assert {name: next(iter(published(service)), None) for name, service in found.items()} == PROFILES[profile]
    assert all(len(published(service)) <= 1 for service in found.values())


@pytest.mark.parametrize("profile", ["gpu", "cpu", "scale"])
def test_what_watches_goes_with_each_that_serves(checkout: Path, profile: str) -> None:
    found = services(checkout, profile, "observability")
    assert found.keys() == PROFILES[profile].keys() | PROFILES["observability"].keys()
    ports = [port for service in found.values() for port in published(service)]
    assert len(set(ports)) == len(ports)


def test_all_is_confined_bounded_and_pinned(checkout: Path) -> None:
    found = services(checkout, *PROFILES)
    assert len(found) == 8
    for name, service in found.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if "build" in service:
            target = service["build"]["target"]
            assert target == ("train" if name.startswith("train") else "serve")
            assert f" AS {target}\n" in (ROOT / "Dockerfile").read_text()
        else:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-\w+)?", service["image"]), service["image"]
        if not name.startswith("train"):
            limits = service["deploy"]["resources"]["limits"]
            assert float(limits["cpus"]) > 0
            assert int(limits["memory"]) > 0
            assert service["restart"] == "unless-stopped"


def test_all_is_reached_from_this_machine_alone_unless_told_otherwise(checkout: Path) -> None:
    for variables, address in (({}, "127.0.0.1"), ({"FCN_BIND": "0.0.0.0"}, "0.0.0.0")):
        for name, service in services(checkout, *PROFILES, **variables).items():
            for port in service.get("ports", []):
                assert port["host_ip"] == ("127.0.0.1" if name in PROFILES["observability"] else address)


@pytest.mark.parametrize("name", SERVING)
def test_settings_are_ones_that_the_service_accepts(checkout: Path, name: str) -> None:
    (checkout / "settings.env").write_text("FCN_PORT=1\nFCN_MAX_PIXELS=1000\n")
    service = services(checkout, *PROFILES, SEGMENTATION_CPUS="4", SEGMENTATION_MEMORY="3G")[name]
    own = {key.removeprefix("FCN_").lower(): value for key, value in service["environment"].items()}
    assert own.keys() <= Settings.model_fields.keys()
    settings = Settings.model_validate(own)
    # The user must not change the container's own settings by mistake.
    assert (settings.port, settings.max_pixels) == (8000, 1000)
    limits = service["deploy"]["resources"]["limits"]
    assert settings.threads == float(limits["cpus"]) == 4
    assert int(limits["memory"]) == 3 * 2**30
    grace_s = re.fullmatch(r"1m(\d+)s", service["stop_grace_period"])
    assert grace_s
    # Draining requests, then responses, then the last band, which gets ten seconds.
    assert 60 + int(grace_s[1]) > 2 * settings.drain_timeout_s + 10


def test_without_a_gpu_training_asks_for_none(checkout: Path) -> None:
    found = services(checkout, "train", TORCH_INDEX_URL="https://cpu.example.org")
    assert "devices" in found["train"]["deploy"]["resources"]["reservations"]
    assert "deploy" not in found["train-cpu"] or not found["train-cpu"]["deploy"].get("resources")
    assert found["train-cpu"]["build"]["args"] == {"TORCH_INDEX_URL": "https://cpu.example.org"}


def test_replicas_are_as_many_as_wanted_and_nginx_waits_for_them(checkout: Path) -> None:
    assert services(checkout, "scale")["replica"]["deploy"]["replicas"] == 2
    found = services(checkout, "scale", SEGMENTATION_REPLICAS="5", FCN_PORT="80")
    assert found["replica"]["deploy"]["replicas"] == 5
    assert found["nginx"]["depends_on"]["replica"]["condition"] == "service_healthy"
    assert published(found["nginx"]) == [80]
    (port,) = found["nginx"]["ports"]
    configuration = (ROOT / "deploy/nginx/nginx.conf").read_text()
    assert f"listen {port['target']};" in configuration
    # Otherwise rate limits and the log would see only nginx.
    assert found["replica"]["environment"]["FCN_TRUSTED_PROXIES"] == "*"


def test_nginx_prometheus_and_training_call_the_services_by_their_names(checkout: Path) -> None:
    names = services(checkout, *PROFILES).keys()
    (asked,) = re.findall(r"^server (\S+):8000 ", (ROOT / "deploy/nginx/replicas.conf").read_text(), re.MULTILINE)
    assert asked == "replica"
    prometheus = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    (watched,) = re.findall(r"names: \[(.*)\]", prometheus)
    assert set(watched.split(", ")) == set(SERVING) <= names


def test_what_is_trained_lies_where_the_services_read(checkout: Path) -> None:
    found = services(checkout, *PROFILES)
    for name in (*SERVING, "train", "train-cpu"):
        (volume,) = [volume for volume in found[name]["volumes"] if volume["target"] == "/weights"]
        assert volume["source"] == "weights"
        assert volume.get("read_only", False) == (not name.startswith("train"))


def test_files_of_the_checkout_that_are_mounted_are_there(checkout: Path) -> None:
    for service in services(checkout, *PROFILES).values():
        for volume in service["volumes"]:
            source = Path(volume["source"])
            if volume["type"] == "bind" and source.name != "data":
                assert (ROOT / source.relative_to(checkout)).exists(), source


def test_grafana_finds_its_dashboard_where_it_is_mounted(checkout: Path) -> None:
    grafana = services(checkout, "observability")["grafana"]
    mounted = {volume["target"]: Path(volume["source"]).relative_to(checkout) for volume in grafana["volumes"]}
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / mounted[str(home.parent)] / home.name).exists()
    provisioning = ROOT / mounted["/etc/grafana/provisioning"]
    (provider,) = yaml.safe_load((provisioning / "dashboards/segmentation.yml").read_text())["providers"]
    assert provider["options"]["path"] == str(home.parent)
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_the_replicas_of_the_page_have_a_gpu_each(checkout: Path) -> None:
    page = (ROOT / "docs/deploy.md").read_text()
    (override,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (checkout / "docker-compose.override.yml").write_text(override)
    found = services(checkout, "scale", TORCH_INDEX_URL="https://cpu.example.org")
    assert found.keys() == {"nginx", "replica", "replica-1"}
    devices = []
    for name in ("replica", "replica-1"):
        (device,) = found[name]["deploy"]["resources"]["reservations"]["devices"]
        devices += device["device_ids"]
        assert found[name]["image"] == "fcn-segmentation"
        assert found[name]["build"]["args"] == {"TORCH_INDEX_URL": ""}
        assert found[name]["environment"]["FCN_TRUSTED_PROXIES"] == "*"
        assert found[name]["environment"]["FCN_DEVICE"] == "cuda"
        assert int(found[name]["deploy"]["resources"]["limits"]["memory"]) == 10 * 2**30
        assert found[name]["read_only"]
        assert not published(found[name])
    assert devices == ["0", "1"]
    assert found["replica"]["deploy"]["replicas"] == 1
    assert found["replica-1"]["networks"]["default"]["aliases"] == ["replica"]
