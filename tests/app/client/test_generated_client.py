"""A client that openapi-python-client generates from the service's OpenAPI document."""

import json
import subprocess
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.app.server_process import ServerProcess

pytest.importorskip("openapi_python_client")


def _generate(server: ServerProcess, folder: Path, name: str, overrides: dict[str, str]) -> None:
    document, config = folder / "openapi.json", folder / "config.json"
    with server.client() as client:
        document.write_bytes(client.get("/openapi.json").content)
    config.write_text(json.dumps({"content_type_overrides": overrides, "post_hooks": []}))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document), "--meta", "none"]
    options = ["--config", str(config), "--output-path", str(folder / name)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _segment(server: ServerProcess, package: str, cat: bytes, **parameters: Any) -> Any:
    """Send a form with an image, and return the parsed response."""
    body = import_module(f"{package}.models").SegmentSegmentPostFilesBody(
        import_module(f"{package}.types").File(BytesIO(cat), "cat.jpg", "image/jpeg")
    )
    with import_module(f"{package}").Client(base_url=server.url, timeout=None) as client:
        segment = import_module(f"{package}.api.segmentation.segment_segment_post")
        return segment.sync_detailed(client=client, body=body, **parameters)


def test_it_lists_the_classes_and_segments_as_json(
    server: ServerProcess, tmp_path: Path, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    _generate(server, tmp_path, "generated_for_json", {})
    package = import_module("generated_for_json")
    with package.Client(base_url=server.url) as client:
        classes = import_module("generated_for_json.api.about.classes_classes_get").sync(client=client)
    assert [known.name for known in classes.classes][8] == "cat"
    json_format = import_module("generated_for_json.models").OutputFormat.JSON
    response = _segment(server, "generated_for_json", cat, format_=json_format)
    assert response.status_code == 200
    assert (response.parsed.width, response.parsed.height) == (451, 300)
    assert np.asarray(response.parsed.mask).shape == (300, 451)
    assert "cat" in [share.name for share in response.parsed.classes]
    refused = _segment(server, "generated_for_json", b"hello")
    assert refused.parsed.type_ == "/problems/not-an-image"


def test_it_segments_as_png(server: ServerProcess, tmp_path: Path, cat: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    # The generator needs to be told about image media types, and it uses the first one that it knows.
    monkeypatch.syspath_prepend(tmp_path)
    _generate(server, tmp_path, "generated_for_png", {"image/png": "application/octet-stream"})
    response = _segment(server, "generated_for_png", cat)
    assert response.status_code == 200
    mask = np.asarray(Image.open(response.parsed.payload))
    assert mask.shape == (300, 451)
    assert 8 in mask
