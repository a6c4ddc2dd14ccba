"""What the README says is so."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.problems import PROBLEMS
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from tests.app.readme_tables import metrics_table, settings_table
from tests.app.server_process import ServerProcess
from tests.programs import needs
from training.export.model_card import scores_table

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CURL_COMMANDS = re.findall(r"^curl .*$", README, re.MULTILINE)
PYTHON_EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def section(name: str) -> str:
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert match, name
    return match[1]


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


def test_the_settings_table_is_that_of_the_settings() -> None:
    assert section("settings") == settings_table()


def test_the_metrics_table_is_that_of_the_metrics() -> None:
    assert section("metrics") == metrics_table()


def test_every_problem_is_listed_with_its_status() -> None:
    listed = {
        slug: status
        for statuses, slugs in re.findall(r"^\| ([\d, ]+) \| (`/problems.*) \|$", README, re.MULTILINE)
        for slug, status in zip(re.findall(r"/problems/([a-z-]+)", slugs), _cycled(statuses), strict=False)
    }
    assert listed == {problem.slug: problem.status for problem in PROBLEMS.values() if problem.slug != "internal"}


def test_scores_are_those_of_the_file_and_of_get_model(client: TestClient) -> None:
    summary = Checkpoint.load(DEFAULT_WEIGHTS).summary
    assert section("scores").startswith(scores_table(summary.scores))
    assert scores_table(summary.scores) in (ROOT / "docs/model_card.md").read_text()
    assert client.get("/model").json()["scores"] == summary.scores


def test_the_picture_is_photograph_mask_and_overlay() -> None:
    with Image.open(ROOT / "docs/cat.png") as picture, Image.open(ROOT / "examples/cat.jpg") as photograph:
        assert picture.size == (3 * photograph.width + 16, photograph.height)
        np.testing.assert_array_equal(np.asarray(picture)[:, : photograph.width], np.asarray(photograph))


def _cycled(statuses: str) -> list[int]:
    """The statuses of a row: one for all its problems, or one for each."""
    numbers = [int(status) for status in statuses.split(",")]
    return numbers * len(PROBLEMS) if len(numbers) == 1 else numbers
