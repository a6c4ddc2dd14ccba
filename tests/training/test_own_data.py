"""From a user's own pictures to a service, with the command line alone."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.api.application import create_app
from app.settings import Settings
from model.checkpoint import Checkpoint
from model.labels import Labels
from training.__main__ import cli
from training.fit.metric_logger import LOG_NAME, read_log

LABELS = Labels(("soil", "leaf", "flower"), ((90, 60, 30), (0, 160, 60), (230, 40, 120)))
LABELS_FILE = """
[[classes]]
name = "soil"
color = [90, 60, 30]

[[classes]]
name = "leaf"
color = [0, 160, 60]

[[classes]]
name = "flower"
color = [230, 40, 120]
"""


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise AssertionError(result.output) from result.exception
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set ``garden`` of plants, with masks in the classes' colours, and the file that names the classes."""
    folder = tmp_path_factory.mktemp("own")
    root, random = folder / "garden", np.random.default_rng(0)
    for path in (root / "JPEGImages", root / "SegmentationClass", root / "ImageSets" / "Segmentation"):
        path.mkdir(parents=True)
    names = [f"plant{number}" for number in range(6)]
    for number, name in enumerate(names):
        height, width = 64 + 6 * number, 96 - 5 * number
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[:, width // 3 : width - 4 * number] = 1
        mask[height // 2 :, : width // 2] = 2
        noise = random.integers(-20, 21, (height, width, 3))
        photograph = np.clip(LABELS.colormap(mask).astype(np.int64) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(photograph).save(root / "JPEGImages" / f"{name}{('.png', '.jpg')[number % 2]}")
        mask[:2] = 255
        Image.fromarray(LABELS.colormap(mask)).save(root / "SegmentationClass" / f"{name}.png")
    for split, part in (("train", names[:4]), ("val", names[4:])):
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(part))
    (folder / "labels.toml").write_text(LABELS_FILE)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    settings = [
        "network.width=8",
        "network.blocks=[1, 1, 1, 1]",
        "data.crop_size=64",
        "data.workers=0",
        "data.color_jitter=0",
        "optimizer.warmup_steps=5",
        "optimizer.ema_decay=0",
        "run.log_every=5",
        "run.tensorboard=false",
        "run.threads=1",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
    source = ["--data", folder, "--source", "garden:train:4", "--labels", folder / "labels.toml"]
    where = ["--backbone", "random", "--device", "cpu", "--steps", "30", "--out", folder / "run"]
    assert "finished at step 30" in _run("train", *source, *where, *options)
    return folder / "run"


@pytest.fixture(scope="module")
def served(folder: Path, run: Path) -> Path:
    golden = folder / "garden" / "JPEGImages" / "plant4.png"
    _run("export", run / "last.safetensors", folder / "served.safetensors", "--golden", golden)
    return folder / "served.safetensors"


def test_the_data_is_shown(folder: Path, tmp_path: Path) -> None:
    _run("show", folder / "garden", tmp_path / "sheet.png", "--labels", folder / "labels.toml", "--count", "4")
    with Image.open(tmp_path / "sheet.png") as picture:
        colors = np.unique(np.array(picture.convert("RGB")).reshape(-1, 3), axis=0).tolist()
    assert all(list(color) in colors for color in LABELS.colors)


def test_a_network_of_the_own_classes_is_trained(run: Path) -> None:
    checkpoint = Checkpoint.load(run / "last.safetensors")
    assert checkpoint.labels == LABELS
    assert checkpoint.config.num_classes == 3
    assert checkpoint.summary.trained_on == "garden train (4 images)"
    losses = [record["loss"] for record in read_log(run / LOG_NAME)]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert losses[-1] < math.log(3) / 2
    with Image.open(run / "curves.png") as picture:
        assert picture.format == "PNG"


def test_it_is_scored_by_the_own_classes(folder: Path, run: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    out = _run("evaluate", run / "last.safetensors", folder / "garden", "--json", scores, "--device", "cpu")
    assert all(name in out for name in LABELS.names)
    document = json.loads(scores.read_text())
    assert [entry["name"] for entry in document["classes"]] == list(LABELS.names)
    assert document["images"] == 2
    pixels = [(64 + 6 * number - 2) * (96 - 5 * number) for number in (4, 5)]
    assert np.sum(document["confusion"]) == sum(pixels)
    assert document["pixel_accuracy"] > 0.6  # the largest class alone has less than half of the pixels


def test_its_predictions_are_drawn(folder: Path, run: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "predictions.png"
    _run("predict", run / "last.safetensors", folder / "garden", sheet, "--count", "2", "--device", "cpu")
    with Image.open(sheet) as picture:
        colors = np.unique(np.array(picture.convert("RGB")).reshape(-1, 3), axis=0).tolist()
    assert all(list(color) in colors for color in LABELS.colors)


def test_it_is_served_with_the_own_classes(folder: Path, served: Path) -> None:
    with TestClient(create_app(Settings(weights=served, device="cpu", threads=1))) as client:
        classes = client.get("/classes").json()["classes"]
        assert [(entry["name"], tuple(entry["color"])) for entry in classes[:3]] == list(
            zip(LABELS.names, LABELS.colors, strict=True)
        )
        assert [entry["index"] for entry in classes] == [0, 1, 2, 255]
        body = (folder / "garden" / "JPEGImages" / "plant4.png").read_bytes()
        answer = client.post("/segment?format=json", content=body).json()
        assert {share["name"] for share in answer["classes"]} <= set(LABELS.names)
        assert answer["classes"]
