import pytest

from app.environment import foreign_variables, is_service_link
from app.settings import Settings


def told(**variables: str) -> list[str]:
    return list(foreign_variables(variables, Settings.model_fields))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FCN_MAX_PIXEL", "FCN_MAX_PIXELS"),
        ("FCN_QUEUE_LENGHT", "FCN_QUEUE_LENGTH"),
        ("FCN_DEADLINE", "FCN_DEADLINE_S"),
        ("fcn_worker", "FCN_WORKERS"),
        ("FCN_LOGLEVEL", "FCN_LOG_LEVEL"),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest_that_is_known(name: str, meant: str) -> None:
    assert told(**{name: "1"}) == [f"{name} is not a setting; did you mean {meant}?"]


def test_an_unknown_name_is_told() -> None:
    assert told(FCN_XYZZY="") == ["FCN_XYZZY is not a setting"]


def test_all_settings_and_what_others_read_are_known() -> None:
    settings = {f"FCN_{name.upper()}": "1" for name in Settings.model_fields}
    assert told(**settings, fcn_port="1", FCN_KEY="secret", FCN_DATA="data", PATH="/bin", XFCN_MAX_PIXEL="1") == []


def test_kubernetes_links_to_a_service_are_known_for_what_they_are() -> None:
    links = {
        "FCN_SERVICE_HOST": "10.0.0.7",
        "FCN_SERVICE_PORT": "8000",
        "FCN_SERVICE_PORT_HTTP": "8000",
        "FCN_PORT_8000_TCP": "tcp://10.0.0.7:8000",
        "FCN_PORT_8000_TCP_PROTO": "tcp",
        "FCN_PORT_8000_TCP_PORT": "8000",
        "FCN_PORT_8000_TCP_ADDR": "10.0.0.7",
        "FCN_WEB_PORT": "udp://10.0.0.8:53",
        "FCN_WEB_SERVICE_HOST": "10.0.0.8",
    }
    assert told(**links) == []
    assert told(FCN_HOST="tcp://10.0.0.7:8000") == []  # Kubernetes does not set this one; the service itself refuses it
    (sentence,) = told(**links, FCN_PORT="tcp://10.0.0.7:8000")
    assert sentence.startswith("FCN_PORT=tcp://10.0.0.7:8000 is Kubernetes' link to a Service")


@pytest.mark.parametrize(("value", "is_link"), [("tcp://10.0.0.7:80", True), ("8000", False), (8000, False)])
def test_a_link_is_known_by_its_value(value: object, is_link: bool) -> None:
    assert is_service_link(value) is is_link
