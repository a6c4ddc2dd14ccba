import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static/samples/cat.jpg"])
def test_files_of_the_page_are_asked_for_again(client: TestClient, path: str) -> None:
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["Cache-Control"] == "no-cache"


def test_a_file_that_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/static/page.js").headers["ETag"]
    again = client.get("/static/page.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/static-offline-docs/redoc.standalone.js"])
@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=abc", "items=0-1", "bytes=5-1", "bytes=999999999-"])
def test_files_are_sent_whole_whatever_part_is_asked_for(client: TestClient, path: str, asked: str) -> None:
    whole = client.get(path)
    response = client.get(path, headers={"Range": asked})
    assert (response.status_code, response.content) == (200, whole.content)
    assert response.headers["accept-ranges"] == "none"
