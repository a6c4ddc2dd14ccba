import base64
import hashlib
import re

import pytest
from starlette.testclient import TestClient


def policy_of(client: TestClient, path: str) -> dict[str, str]:
    """Directives of a path's content security policy."""
    policy = client.get(path).headers["content-security-policy"]
    return {name: sources for name, _, sources in (part.strip().partition(" ") for part in policy.split(";"))}


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/redoc", "/static/page.js", "/model", "/livez", "/missing", "/segment"]
)
def test_every_answer_says_how_little_it_may_do(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = policy_of(client, path)
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in policy.get("script-src", "")


@pytest.mark.parametrize("path", ["/model", "/static/page.js", "/missing"])
def test_what_is_no_page_may_do_nothing(client: TestClient, path: str) -> None:
    assert set(policy_of(client, path)) == {"default-src", "base-uri", "form-action", "frame-ancestors"}


def test_the_page_runs_and_looks_by_its_own_files_alone(client: TestClient) -> None:
    policy = policy_of(client, "/")
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


def test_the_script_that_stands_in_the_docs_is_named_by_its_hash(client: TestClient) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", client.get("/docs").text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy_of(client, "/docs")["script-src"] == f"'self' 'sha256-{digest}'"


def test_the_docs_have_their_policy_under_another_path_as_well(client: TestClient) -> None:
    under = TestClient(client.app, root_path="/masks")
    assert "sha256-" in policy_of(under, "/masks/docs")["script-src"]
