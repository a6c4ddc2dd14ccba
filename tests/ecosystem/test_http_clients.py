"""Forms and bodies sent by real HTTP clients in several languages."""

import asyncio
import json
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import EXAMPLES
from tests.app.server_process import ServerProcess

PHOTOGRAPH = EXAMPLES / "cat.jpg"
CLIENTS = Path(__file__).with_name("clients")


@pytest.fixture(scope="module")
def url(server: ServerProcess) -> str:
    return f"{server.url}/segment"


@pytest.fixture(scope="module")
def expected(server: ServerProcess) -> Any:
    """The service's response to the image's bytes as the body."""
    with server.client() as http:
        document = http.post("/segment?format=json", content=PHOTOGRAPH.read_bytes()).json()
    assert [found["name"] for found in document["classes"]] == ["background", "cat"]
    return document


def said_by(*command: str) -> Any:
    """Run a program, and return the JSON document that it prints."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    result = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=True)
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-F", f"image=@{PHOTOGRAPH}", "-F", "format=json"],
        ["-F", f"image=@{PHOTOGRAPH};filename=", "-F", "format=json;type=text/plain"],
        ["-F", f"image=<{PHOTOGRAPH}", "-F", "format=json"],
        ["-F", f"image=@{PHOTOGRAPH};encoder=base64", "-F", "format=json"],
        ["-H", "Transfer-Encoding: chunked", "-F", "format=json", "-F", f'image=@{PHOTOGRAPH};filename=ä ".jpg'],
    ],
    ids=["file", "empty name", "contents as text", "base64", "chunks"],
)
def test_curl(url: str, expected: Any, arguments: list[str]) -> None:
    assert said_by("curl", "--silent", *arguments, url) == expected


@pytest.mark.parametrize("script", ["segment.mjs", "stream.mjs"])
def test_node(url: str, expected: Any, script: str) -> None:
    assert said_by("node", str(CLIENTS / script), url, str(PHOTOGRAPH)) == expected


def test_java(url: str, expected: Any) -> None:
    assert said_by("java", str(CLIENTS / "Segment.java"), url, str(PHOTOGRAPH)) == expected


def test_httpie(url: str, expected: Any) -> None:
    pytest.importorskip("httpie", reason="the extra ecosystem is not installed")
    command = ("-m", "httpie", "--ignore-stdin", "--multipart", "--body", "POST", url)
    assert said_by(sys.executable, *command, "format=json", f"image@{PHOTOGRAPH}") == expected


def test_requests(url: str, expected: Any) -> None:
    requests = pytest.importorskip("requests")
    data = PHOTOGRAPH.read_bytes()
    for image in (data, ("a.jpg", data, "image/jpeg"), (None, data), ("ä.jpg", BytesIO(data))):
        answer = requests.post(url, files={"image": image}, data={"format": "json"}, timeout=60)
        assert answer.json() == expected


def test_aiohttp(url: str, expected: Any) -> None:
    aiohttp = pytest.importorskip("aiohttp")

    async def ask() -> Any:
        form = aiohttp.FormData({"format": "json"})
        form.add_field("image", BytesIO(PHOTOGRAPH.read_bytes()), content_type="image/jpeg")
        async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
            return await answer.json()

    assert asyncio.run(ask()) == expected
