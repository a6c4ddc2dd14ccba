from pathlib import Path

import pytest

from app.process_settings import LogFormat, ProcessSettings, read_settings
from app.settings import Settings
from model.precision import Precision


@pytest.mark.parametrize(
    ("value", "level"), [("INFO", "info"), ("Debug", "debug"), ("WARN", "warning"), (" error ", "error")]
)
def test_the_log_level_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch, value: str, level: str) -> None:
    monkeypatch.setenv("FCN_LOG_LEVEL", value)
    assert read_settings(ProcessSettings).log_level == level


def test_every_choice_of_words_is_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LOG_FORMAT", "JSON"), ("PRECISION", "Float32"), ("DEVICE", "CPU")):
        monkeypatch.setenv(f"FCN_{name}", value)
    settings = read_settings(Settings)
    assert (settings.log_format, settings.precision, settings.device) == (LogFormat.JSON, Precision.FLOAT32, "cpu")


@pytest.mark.parametrize("value", ["", " ", "\t\n"])
@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_setting_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FCN_{name.upper()}", value)
    assert read_settings(Settings) == Settings()
    assert getattr(Settings(), name) == Settings.model_fields[name].default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FCN_MAX_UPLOAD_BYTES", "32MB"),
        ("FCN_LOG_LEVEL", "verbose"),
        ("FCN_PORT", "70000"),
        ("FCN_DEADLINE_S", "0"),
        ("FCN_PRECISION", "float16"),
        ("FCN_CORS_ORIGINS", "example.org"),
        ("FCN_PROTECT_METRICS", "maybe"),
        ("FCN_CORS_ORIGINS", "https://*.example.org"),
        ("FCN_TRUSTED_PROXIES", "10.0.0.1,*"),
        ("FCN_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("FCN_TRUSTED_PROXIES", '"*"'),
        ("FCN_THREADS", "100000"),
        ("FCN_DRAIN_TIMEOUT_S", "inf"),
    ],
)
def test_what_is_wrong_with_a_setting_is_said_with_its_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as end:
        read_settings(Settings)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {name}={value}: ")


def test_blanks_around_a_value_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {"HOST": "::1", "PORT": "8001", "WEIGHTS": "a.safetensors", "TRUSTED_PROXIES": "*", "LOG_LEVEL": "INFO"}
    for name, value in written.items():
        monkeypatch.setenv(f"FCN_{name}", f" {value}\n")
    settings = read_settings(Settings)
    assert (settings.host, settings.port, settings.log_level) == ("::1", 8001, "info")
    assert (settings.weights, settings.trusted_proxies) == (Path("a.safetensors"), "*")


@pytest.mark.parametrize("value", ["*", "10.0.0.1", "10.0.0.0/8, 192.168.1.7", "::1,fd00::/8"])
def test_addresses_and_networks_of_proxies_are_read(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FCN_TRUSTED_PROXIES", value)
    assert read_settings(Settings).trusted_proxies == value


def test_a_long_value_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FCN_PORT", "9" * 10_000)
    with pytest.raises(SystemExit):
        read_settings(ProcessSettings)
    assert len(capsys.readouterr().err) < 300


def test_a_link_of_kubernetes_is_no_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FCN_PORT", "tcp://10.0.0.7:8000")
    monkeypatch.setenv("FCN_SERVICE_HOST", "10.0.0.7")
    assert read_settings(Settings).port == read_settings(ProcessSettings).port == 8000
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: FCN_PORT=tcp://10.0.0.7:8000 is Kubernetes' link")


def test_a_name_that_is_no_setting_is_told_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FCN_MAX_PIXEL", "1000")
    assert read_settings(Settings) == Settings()
    assert capsys.readouterr().err == "warning: FCN_MAX_PIXEL is not a setting; did you mean FCN_MAX_PIXELS?\n"


def test_paths_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_WEIGHTS", "Some/Weights.safetensors")
    assert read_settings(Settings).weights == Path("Some/Weights.safetensors")
