"""The examples of the README and the HTTP reference work as shown."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from tests.app.server_process import ServerProcess
from tests.programs import needs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CURL_COMMANDS = re.findall(r"^curl .*$", README + (ROOT / "docs/http.md").read_text(), re.MULTILINE)
PYTHON_EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@needs("curl")
@pytest.mark.parametrize("command", CURL_COMMANDS)
def test_each_curl_command_works_as_it_stands(server: ServerProcess, tmp_path: Path, command: str) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    here = command.replace("http://127.0.0.1:8000", server.url)
    result = subprocess.run(f"{here} --fail --silent", shell=True, cwd=tmp_path, capture_output=True, check=True)
    written = re.search(r"-o (\S+)", command)
    content = (tmp_path / written[1]).read_bytes() if written else result.stdout
    if written and written[1].endswith(".png"):
        with Image.open(tmp_path / written[1]) as picture:
            assert picture.size == (451, 300)
    else:
        assert "cat" in {entry["name"] for entry in json.loads(content)["classes"]}


def test_there_are_curl_commands() -> None:
    assert len(CURL_COMMANDS) == 5


@pytest.mark.parametrize("example", PYTHON_EXAMPLES)
def test_each_python_example_gives_the_mask_that_it_tells(server: ServerProcess, tmp_path: Path, example: str) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    program = example.replace("http://127.0.0.1:8000", server.url) + "print(mask.shape, (mask == 8).mean() > 0.4)"
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.endswith("(300, 451) True\n")


def test_scores_of_the_weights_are_those_of_get_model(server: ServerProcess) -> None:
    with server.client() as client:
        assert client.get("/model").json()["scores"] == Checkpoint.load(DEFAULT_WEIGHTS).summary.scores


def test_the_picture_is_photograph_mask_and_overlay() -> None:
    with Image.open(ROOT / "docs/cat.png") as picture, Image.open(ROOT / "examples/cat.jpg") as photograph:
        assert picture.size == (3 * photograph.width + 16, photograph.height)
        np.testing.assert_array_equal(np.asarray(picture)[:, : photograph.width], np.asarray(photograph))


def test_the_readme_is_read_in_minutes() -> None:
    assert len(README.split()) < 1150
