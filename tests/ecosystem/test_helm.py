"""The rendered chart: valid for several versions of Kubernetes, and correct for this service."""

import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from app.api.uploads import FORM_BYTES
from app.settings import Settings
from tests.deploy.kubernetes.chart import (
    CHART,
    KUBERNETES,
    RELEASE,
    Manifest,
    documents,
    environment,
    helm,
    needs_helm,
    of_kind,
    render,
    routes,
    settings,
)
from tests.ecosystem.manifests import VERSIONS, assert_is_the_alerts, container, pod, validate

pytestmark = needs_helm

GPU = ("--values", str(CHART / "values-gpu.yaml"))
EVERYTHING = (
    *("--set", "keys.secretName=api-keys", "--set", "image.digest=sha256:" + "0" * 64),
    *(
        "--set",
        "weights.volume.persistentVolumeClaim.claimName=weights",
        "--set",
        "weights.file=own/leaves.safetensors",
    ),
    *(
        "--set",
        "ingress.enabled=true",
        "--set",
        "ingress.host=vision.example.org",
        "--set",
        "ingress.tlsSecretName=tls",
    ),
    *("--set", "podMonitor.enabled=true", "--set", "podMonitor.authorization.credentials.name=metrics-key"),
    *("--set", "podMonitor.authorization.credentials.key=key", "--set", "podLabels.team=vision"),
    *("--set-string", "settings.FCN_DEADLINE_S=59.5", "--set-string", "settings.FCN_MAX_UPLOAD_BYTES=67108864"),
    *("--set-json", 'networkPolicy.from=[{"namespaceSelector": {"matchLabels": {"name": "web"}}}]'),
    *("--set-json", 'networkPolicy.egress=[{"ports": [{"port": 4318, "protocol": "TCP"}]}]'),
    *("--set", "rollingUpdate.maxSurge=25%", "--set", "priorityClassName=high", "--set", "nodeSelector.disk=fast"),
)
FIXED = ("--set", "autoscaling.enabled=false", "--set", "serviceAccount.create=false", "--set", "preStopSeconds=0")
WAYS = {"defaults": (), "gpu": GPU, "everything": EVERYTHING, "everything on a gpu": GPU + EVERYTHING, "fixed": FIXED}

WITHOUT_SCHEMA = {"PodMonitor"}
"""Kinds of custom resources, which have no schema in Kubernetes itself."""


@pytest.fixture(scope="module")
def defaults() -> list[Manifest]:
    return render()


@pytest.mark.parametrize("way", WAYS)
def test_helm_finds_no_fault(way: str) -> None:
    result = helm("lint", "--strict", str(CHART), *WAYS[way])
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 chart(s) failed" in result.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_manifests_are_valid(way: str, version: str) -> None:
    manifests = render(*WAYS[way], version=version)
    assert len(manifests) >= 4
    for manifest in manifests:
        if manifest["kind"] not in WITHOUT_SCHEMA:
            validate(manifest, version)


def test_a_field_that_there_is_not_would_be_found(defaults: list[Manifest]) -> None:
    wrong = json.loads(json.dumps(of_kind(defaults, "Deployment")))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(wrong, VERSIONS[-1])


def test_older_clusters_are_refused() -> None:
    result = helm("template", RELEASE, str(CHART), "--kube-version", "1.29.0")
    assert result.returncode != 0
    assert "incompatible with Kubernetes" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set-string", "settings.FCN_QUEUE_LENGHT=64"), "FCN_QUEUE_LENGHT"),
        (("--set", "settings.FCN_MAX_UPLOAD_BYTES=33554432"), "string"),
        (("--set", "ingress.enabled=true"), "ingress.host is needed"),
        (("--set", "weights.volume.emptyDir.medium=Memory"), "weights.file names the checkpoint"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], said: str) -> None:
    result = helm("template", RELEASE, str(CHART), *arguments)
    assert result.returncode != 0
    assert said in result.stderr


@pytest.mark.parametrize("way", WAYS)
def test_probes_ask_routes_of_the_service(way: str) -> None:
    asked = {
        name: container(render(*WAYS[way]))[name]["httpGet"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert {name: get["path"] for name, get in asked.items()} == {
        "startupProbe": "/readyz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/livez",
    }
    assert {get["path"] for get in asked.values()} <= routes()
    assert {get["port"] for get in asked.values()} == {"http"}


@pytest.mark.parametrize("way", WAYS)
def test_variables_are_settings_that_the_service_accepts(way: str) -> None:
    found = container(render(*WAYS[way]))
    names = [variable["name"] for variable in found["env"]]
    assert len(set(names)) == len(names)
    assert all(name.startswith("FCN_") for name in names)
    own = settings(found)
    assert own.keys() <= Settings.model_fields.keys()
    read = Settings.model_validate(own)
    assert str(read.port) == str(found["ports"][0]["containerPort"])
    assert read.host == "0.0.0.0"


@pytest.mark.parametrize("way", WAYS)
def test_threads_are_the_cpus_that_the_pod_has_for_sure(way: str) -> None:
    found = container(render(*WAYS[way]))
    resources = found["resources"]
    assert resources["requests"] == resources["limits"]  # quality of service class Guaranteed
    assert resources["limits"]["cpu"] == environment(found)["FCN_THREADS"]


@pytest.mark.parametrize("way", WAYS)
def test_a_gpu_is_asked_for_where_the_service_wants_one(way: str) -> None:
    found = container(render(*WAYS[way]))
    assert (environment(found)["FCN_DEVICE"] == "cuda") == ("nvidia.com/gpu" in found["resources"]["limits"])


@pytest.mark.parametrize("drain_s", [1, 30, 600])
def test_the_pod_outlives_the_service(drain_s: int) -> None:
    manifests = render("--set", f"drainTimeoutSeconds={drain_s}", "--set", "preStopSeconds=7")
    own = Settings.model_validate(settings(container(manifests)))
    assert own.drain_timeout_s == drain_s
    assert container(manifests)["lifecycle"]["preStop"]["sleep"]["seconds"] == 7
    # Draining requests, then responses, then the last band, which gets ten seconds.
    assert pod(manifests)["spec"]["terminationGracePeriodSeconds"] > 7 + 2 * own.drain_timeout_s + 10


@pytest.mark.parametrize("way", WAYS)
def test_the_container_has_no_privileges(way: str) -> None:
    spec = pod(render(*WAYS[way]))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    user = spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]
    dockerfile = (KUBERNETES.parents[1] / "Dockerfile").read_text()
    assert f"USER {user[0]}:{user[1]}\n" in dockerfile
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (only,) = spec["containers"]
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert all("hostPath" not in volume for volume in spec.get("volumes", []))
    assert all(mount["readOnly"] for mount in only.get("volumeMounts", []))


@pytest.mark.parametrize("way", WAYS)
def test_all_that_chooses_pods_chooses_these(way: str) -> None:
    manifests = render(*WAYS[way])
    labels = pod(manifests)["metadata"]["labels"]
    selectors = [
        of_kind(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        of_kind(manifests, "Service")["spec"]["selector"],
        of_kind(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in pod(manifests)["spec"]["topologySpreadConstraints"]),
        *(each["spec"]["selector"]["matchLabels"] for each in manifests if each["kind"] == "PodMonitor"),
    ]
    assert len(selectors) >= 6
    for selector in selectors:
        assert selector == {"app.kubernetes.io/name": "segmentation", "app.kubernetes.io/instance": RELEASE}
        assert selector.items() <= labels.items()


def test_every_object_bears_the_recommended_labels() -> None:
    for manifest in render(*EVERYTHING):
        names = {key.removeprefix("app.kubernetes.io/") for key in manifest["metadata"]["labels"]}
        assert {"name", "instance", "version", "component", "managed-by", "helm.sh/chart"} <= names


def test_the_port_alone_is_open_and_nothing_goes_out(defaults: list[Manifest]) -> None:
    policy = of_kind(defaults, "NetworkPolicy")["spec"]
    (port,) = container(defaults)["ports"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": port["name"], "protocol": port["protocol"]}]}]
    assert policy["egress"] == []


def test_the_autoscaler_scales_the_deployment_that_leaves_it_the_number(defaults: list[Manifest]) -> None:
    deployment = of_kind(defaults, "Deployment")
    target = of_kind(defaults, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    assert target["apiVersion"] == deployment["apiVersion"]
    assert "replicas" not in deployment["spec"]
    fixed = render(*FIXED)
    assert of_kind(fixed, "Deployment")["spec"]["replicas"] == 2
    assert "HorizontalPodAutoscaler" not in {manifest["kind"] for manifest in fixed}


def test_the_budget_leaves_a_pod_and_lets_one_go(defaults: list[Manifest]) -> None:
    at_least = of_kind(defaults, "HorizontalPodAutoscaler")["spec"]["minReplicas"]
    assert 0 < of_kind(defaults, "PodDisruptionBudget")["spec"]["maxUnavailable"] < at_least


def test_keys_and_weights_are_where_the_service_looks_for_them() -> None:
    manifests = render(*EVERYTHING)
    own = environment(container(manifests))
    assert own["FCN_API_KEYS_FILE"] == "/run/fcn/keys/keys.txt"
    assert own["FCN_WEIGHTS"] == "/run/fcn/weights/own/leaves.safetensors"
    places = {mount["name"]: mount["mountPath"] for mount in container(manifests)["volumeMounts"]}
    assert places == {"keys": "/run/fcn/keys", "weights": "/run/fcn/weights"}
    volumes = {volume.pop("name"): volume for volume in pod(manifests)["spec"]["volumes"]}
    assert volumes["keys"] == {"secret": {"secretName": "api-keys", "defaultMode": 0o440}}
    assert volumes["weights"] == {"persistentVolumeClaim": {"claimName": "weights"}}


def test_a_proxy_allows_what_the_service_allows(defaults: list[Manifest]) -> None:
    for arguments in ((), ("--set-string", "settings.FCN_DEADLINE_S=59.5,settings.FCN_MAX_UPLOAD_BYTES=67108864")):
        manifests = render("--set", "ingress.enabled=true", "--set", "ingress.host=vision.example.org", *arguments)
        own = Settings.model_validate(settings(container(manifests)))
        notes = of_kind(manifests, "Ingress")["metadata"]["annotations"]
        assert notes["nginx.org/client-max-body-size"] == str(own.max_upload_bytes + FORM_BYTES)
        seconds = re.fullmatch(r"(\d+)s", notes["nginx.org/proxy-read-timeout"])
        assert seconds
        assert own.deadline_s + 10 <= int(seconds[1]) < own.deadline_s + 11
        (rule,) = of_kind(manifests, "Ingress")["spec"]["rules"]
        backend = rule["http"]["paths"][0]["backend"]["service"]
        service = of_kind(manifests, "Service")
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]


def test_an_annotation_of_ones_own_comes_before_the_charts() -> None:
    own = {"nginx.org/lb-method": "round_robin", "example.org/team": "vision"}
    host = ("--set", "ingress.enabled=true", "--set", "ingress.host=vision.example.org")
    text = helm("template", RELEASE, str(CHART), *host, "--set-json", f"ingress.annotations={json.dumps(own)}").stdout
    assert text.count("nginx.org/lb-method:") == 1
    notes = of_kind(documents(text), "Ingress")["metadata"]["annotations"]
    assert notes == notes | own
    assert "nginx.org/proxy-read-timeout" in notes
    other = of_kind(render(*host, "--set", "ingress.className=traefik"), "Ingress")
    assert "annotations" not in other["metadata"]


def test_prometheus_calls_the_pods_what_the_alerts_call_them() -> None:
    manifests = render(*EVERYTHING)
    monitor = of_kind(manifests, "PodMonitor")["spec"]
    assert_is_the_alerts(pod(manifests)["metadata"]["labels"][monitor["jobLabel"]])
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["path"] in routes()
    assert endpoint["port"] == container(manifests)["ports"][0]["name"]
    assert endpoint["authorization"] == {"credentials": {"name": "metrics-key", "key": "key"}}


def test_images_are_pinned() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert container(render())["image"] == f"fcn-segmentation:{version}"
    assert container(render(*EVERYTHING))["image"] == "fcn-segmentation@sha256:" + "0" * 64


def test_the_page_names_files_that_there_are() -> None:
    page = (KUBERNETES.parents[1] / "docs/kubernetes.md").read_text()
    named = set(re.findall(r"deploy/kubernetes/[\w./-]*\w", page))
    assert {"deploy/kubernetes/chart", "deploy/kubernetes/kserve.yaml"} <= named
    assert [name for name in named if not Path(KUBERNETES.parents[1], name).exists()] == []
