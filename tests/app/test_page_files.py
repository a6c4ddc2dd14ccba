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
