"""The service as a pod, as far as that can be tested without a cluster.

It runs in the rendered container's environment, as its user, without capabilities, on a read-only root and in an
isolated network. Probes are sent as the kubelet sends them. Prometheus scrapes its queue, and evaluates
prometheus-adapter's query.
"""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from benchmarks.waiting import wait_until
from tests.app import bare_root
from tests.app.load import Load
from tests.app.server_process import ServerProcess
from tests.deploy.kubernetes.chart import KUBERNETES, RELEASE, Manifest, needs_helm, of_kind, render, settings
from tests.ecosystem.prometheus import Prometheus, needs_prometheus

ROOT = KUBERNETES.parents[1]
PROGRAMS = ("curl", "ip", "nsenter", "setpriv", "unshare")

Start = Callable[..., ServerProcess]

_CONTAINER = rf"""
set -eu
bare=$1 here=$2 user=$3
shift 3
ip link set lo up
{bare_root.MAKE}
{bare_root.SEAL}
exec chroot "$bare" env --chdir "$here" setpriv --reuid="$user" --regid="$user" --clear-groups \
    --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
"""Shell script that runs a command as the container's user on a read-only root without /tmp, with only a loopback."""


def _can_confine() -> bool:
    if any(shutil.which(program) is None for program in PROGRAMS):
        return False
    trial = ["unshare", "--mount", "--net", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(trial, check=False, capture_output=True).returncode == 0


needs_root = pytest.mark.skipif(
    not _can_confine(), reason=f"only root may make namespaces, and {', '.join(PROGRAMS)} are needed"
)


@pytest.fixture(scope="module")
def pod() -> Manifest:
    """Pod specification that the chart renders from its defaults."""
    found: Manifest = of_kind(render(), "Deployment")["spec"]["template"]["spec"]
    return found


def container(pod: Manifest) -> Manifest:
    (found,) = pod["containers"]
    return dict(found)


def local(pod: Manifest) -> dict[str, object]:
    """The container's settings, on this machine's loopback and a free port."""
    return {**settings(container(pod)), "host": "127.0.0.1", "port": 0}


def start_confined(start: Start, pod: Manifest, folder: Path) -> ServerProcess:
    user = str(pod["securityContext"]["runAsUser"])
    # It can use the container's own port, because it has a network of its own.
    own = {**local(pod), "port": settings(container(pod))["port"]}
    command = ("unshare", "--mount", "--net", "sh", "-c", _CONTAINER, "sh", str(folder), str(ROOT), user)
    return start(*command, **own)


class Kubelet:
    """Sends requests from within the pod's network.

    Args:
        process_id: id of the container's process.
        port: port of the container.
    """

    def __init__(self, process_id: int, port: int) -> None:
        self._inside = ["nsenter", f"--net=/proc/{process_id}/ns/net"]
        self._address = f"http://127.0.0.1:{port}"

    def status(self, path: str, timeout_s: float = 10, *arguments: str) -> int:
        """Status of the response; 0 if there is none in time."""
        curl = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
        command = [*self._inside, *curl, "--max-time", str(timeout_s), *arguments, self._address + path]
        return int(subprocess.run(command, capture_output=True, text=True, check=False).stdout)

    def probe(self, probe: Manifest) -> bool:
        """Whether a probe succeeds, as the kubelet judges it."""
        return 200 <= self.status(probe["httpGet"]["path"], probe["timeoutSeconds"]) < 400

    def reaches(self, address: str) -> bool:
        """Whether the pod can connect to an address."""
        command = [*self._inside, "curl", "--silent", "--max-time", "2", address]
        # 7 is "could not connect"; any response, even an invalid one, gives a different code.
        return subprocess.run(command, capture_output=True, check=False).returncode != 7


@needs_helm
@needs_root
def test_the_container_serves_as_the_chart_confines_it(
    start_server: Start, pod: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: Path
) -> None:
    parts = {Path(sys.prefix), Path(sys.base_prefix), ROOT}
    monkeypatch.setenv("PARTS", " ".join(str(part) for part in parts if parts.isdisjoint(part.parents)))
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        server = start_confined(start_server, pod, tmp_path)
        kubelet = Kubelet(server.process.pid, server.port)
        assert kubelet.probe(container(pod)["startupProbe"])
        assert kubelet.probe(container(pod)["readinessProbe"])
        assert kubelet.probe(container(pod)["livenessProbe"])
        assert not kubelet.reaches(f"http://127.0.0.1:{elsewhere.getsockname()[1]}")
    photograph = f"image=@{examples / 'cat.jpg'}"
    assert kubelet.status("/segment", 60, "--form", photograph) == 200
    assert _identity(server) == {
        "Uid": pod["securityContext"]["runAsUser"],
        "Gid": pod["securityContext"]["runAsGroup"],
        "CapEff": 0,
        "CapBnd": 0,
        "NoNewPrivs": 1,
    }
    server.end()
    assert server.process.returncode == 0


def _identity(server: ServerProcess) -> dict[str, int]:
    """Effective user, group and capabilities of the process, from the kernel."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return {
        "Uid": int(fields["Uid"][1]),
        "Gid": int(fields["Gid"][1]),
        "CapEff": int(fields["CapEff"][0], 16),
        "CapBnd": int(fields["CapBnd"][0], 16),
        "NoNewPrivs": int(fields["NoNewPrivs"][0]),
    }


@needs_helm
def test_its_memory_is_bound_by_less_than_the_limit(start_server: Start, pod: Manifest) -> None:
    server = start_server(**local(pod))
    said = next(line for line in server.log if "memory: at most" in line)
    bound_mb = int(said.partition("memory: at most ")[2].split()[0])
    limit = container(pod)["resources"]["limits"]["memory"]
    assert limit == "6600Mi"
    assert bound_mb * 1e6 < 6400 * 2**20


@needs_helm
def test_nobody_meets_a_refusal_who_is_told_in_time_that_the_pod_goes(
    start_server: Start, pod: Manifest, cat: bytes
) -> None:
    server = start_server(**local(pod))
    with Load(server, cat) as load:
        wait_until(lambda: load.outcomes[200] > 5)
        # Now the pod is deleted. The kubelet waits for the hook, while the endpoint is being removed everywhere.
        deleted, answered = time.monotonic(), load.outcomes[200]
        wait_until(lambda: load.outcomes[200] > answered + 10)
    heard_s = time.monotonic() - deleted
    assert heard_s < container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"]
    server.end()
    ended_s = time.monotonic() - deleted
    assert set(load.outcomes) == {200}
    assert server.process.returncode == 0
    assert ended_s < pod["terminationGracePeriodSeconds"]


@needs_helm
def test_without_the_hook_those_who_have_not_heard_are_refused(start_server: Start, pod: Manifest, cat: bytes) -> None:
    server = start_server(**local(pod))
    with Load(server, cat) as load:
        wait_until(lambda: load.outcomes[200] > 5)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: load.outcomes[503] + load.outcomes[0] > 0)
        assert server.process.wait(timeout=60) == 0


@needs_helm
def test_the_longest_end_is_shorter_than_the_pods(start_server: Start) -> None:
    spec = of_kind(render("--set", "drainTimeoutSeconds=2", "--set", "preStopSeconds=0"), "Deployment")
    pod = spec["spec"]["template"]["spec"]
    server = start_server(**local(pod))
    large = server.upload(_large_photograph())
    with server.client() as client:
        wait_until(lambda: "fcn_unfinished_requests 1.0" in client.get("/metrics").text)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=pod["terminationGracePeriodSeconds"]) == 0
    large.close()


def _large_photograph() -> bytes:
    """A photograph that takes half a minute."""
    buffer = BytesIO()
    Image.effect_noise((8000, 6000), 50).convert("RGB").save(buffer, "JPEG", quality=50)
    return buffer.getvalue()


def _configuration(targets: dict[str, int]) -> dict[str, Any]:
    """Prometheus configuration that scrapes services, given as pod name -> port."""
    labels = [
        {"targets": [f"127.0.0.1:{own}"], "labels": {"namespace": RELEASE, "pod": name}}
        for name, own in targets.items()
    ]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "segmentation", "static_configs": labels}],
    }


def adapters_query(pods: list[str]) -> str:
    """Query that prometheus-adapter builds from its rule for these pods."""
    (rule,) = yaml.safe_load((KUBERNETES / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    series = rule["seriesQuery"].partition("{")[0]
    matchers = f'namespace="{RELEASE}",pod=~"{"|".join(pods)}"'
    query: str = rule["metricsQuery"]
    for name, value in {"Series": series, "LabelMatchers": matchers, "GroupBy": "pod"}.items():
        query = query.replace(f"<<.{name}>>", value)
    assert "<<" not in query
    return query


@needs_prometheus
def test_prometheus_knows_the_queue_of_each_pod_as_the_adapter_asks_for_it(
    server: ServerProcess, start_server: Start, tmp_path: Path
) -> None:
    busy = start_server()
    uploads = [busy.upload(_large_photograph()) for _ in range(2)]
    with busy.client() as client:
        wait_until(lambda: 'fcn_waiting_requests{queue="large"} 2.0' in client.get("/metrics").text)
    with Prometheus(tmp_path, _configuration({"idle": server.port, "busy": busy.port})) as prometheus:

        def ask(query: str) -> dict[str, float]:
            return {labels["pod"]: value for labels, value in prometheus.series(query)}

        query = adapters_query(["idle", "busy"])
        wait_until(lambda: len(ask(query)) == 2)
        assert ask(query) == {"idle": 0, "busy": 2}
        assert ask(adapters_query(["idle"])) == {"idle": 0}
    for upload in uploads:
        upload.close()
