"""nginx's limits equal those of the service, where both have the same limit."""

import re
from pathlib import Path

import orjson
import pytest

from app.problems import PROBLEMS
from app.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy/nginx/nginx.conf").read_text()
SETTINGS = Settings()

DOCUMENTS = re.findall(r"return (\d{3}) '(\{.*\})';", TEXT)


def value(directive: str) -> float:
    """Value of a directive that occurs once: a number, in seconds if it has a unit."""
    (found,) = re.findall(rf"^ *{directive} (\d+)s?;", TEXT, re.MULTILINE)
    return float(found)


def test_a_body_may_be_as_large_as_the_service_allows_it() -> None:
    form_bytes = 64 * 1024
    assert value("client_max_body_size") == SETTINGS.max_upload_bytes + form_bytes


def test_the_service_is_given_the_time_to_say_what_took_too_long() -> None:
    assert value("client_header_timeout") == SETTINGS.header_timeout_s
    assert value("client_body_timeout") > SETTINGS.upload_idle_timeout_s
    assert value("send_timeout") == SETTINGS.send_timeout_s
    assert max(map(float, re.findall(r"proxy_read_timeout (\d+)s", TEXT))) > SETTINGS.deadline_s
    # A request that took longer than that in one replica is not tried in another.
    assert value("proxy_next_upstream_timeout") < SETTINGS.deadline_s


def test_nginx_opens_fewer_connections_than_a_replica_takes() -> None:
    assert value("worker_processes") * value("worker_connections") / 2 < SETTINGS.max_connections
    # uvicorn closes connections after five idle seconds.
    assert value("keepalive_timeout") < 5


@pytest.mark.parametrize(("status", "text"), DOCUMENTS)
def test_documents_are_those_of_the_service(status: str, text: str) -> None:
    document = orjson.loads(text)
    assert set(document) == {"type", "title", "status", "detail"}
    assert document["status"] == int(status)
    if document["type"] != "about:blank":
        problem = PROBLEMS[document["type"].removeprefix("/problems/")]
        assert (document["title"], document["status"]) == (problem.title, problem.status)


def test_there_is_a_document_for_all_that_nginx_answers() -> None:
    handled = {int(code) for codes in re.findall(r"error_page ([\d ]+) = ", TEXT) for code in codes.split()}
    assert handled >= {400, 404, 413, 414, 429, 494, 500, 502, 503, 504}
    named = set(re.findall(r"error_page [\d ]+ = ([@/\w-]+);", TEXT))
    assert named | {"/-/ready"} == set(re.findall(r"location (?:= )?(@[\w-]+|/-/[\w-]+) \{", TEXT))
    assert len(DOCUMENTS) == len(named - {"@streamed", "@again"})
