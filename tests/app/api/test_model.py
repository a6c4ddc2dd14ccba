from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from app.api.application import create_app
from app.problems import NOT_FOUND, PROBLEMS
from app.settings import Settings
from model.checkpoint import Checkpoint, Summary
from model.labels import VOC, Labels
from model.networks import NetworkConfig, build_network
from model.precision import Precision
from model.segmenter import DEFAULT_WEIGHTS
from model.tiling import TilingLimits
from tests.app.problems import require_problem
from tests.precisions import needs_int8
from training.export.export import export


def test_classes_are_vocs_and_void(client: TestClient) -> None:
    classes = client.get("/classes").json()["classes"]
    assert [entry["name"] for entry in classes] == [*VOC.names, "void"]
    assert [entry["index"] for entry in classes] == [*range(21), 255]
    assert classes[8]["color"] == [64, 0, 0]
    assert classes[-1]["color"] == [224, 224, 192]


def test_model_says_what_the_file_says(client: TestClient) -> None:
    document = client.get("/model").json()
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    assert document["sha256"] == checkpoint.digest
    assert document["architecture"] == checkpoint.config.architecture
    assert document["scores"] == checkpoint.summary.scores
    assert document["scores"]
    assert document["precision"] == "float32"
    assert document["band_pixels"] == TilingLimits().band_pixels
    assert document["limits"]["max_pixels"] == Settings().max_pixels
    assert "JPEG" in document["limits"]["formats"]


@needs_int8
def test_int8_is_served_and_told(tmp_path: Path, examples: Path) -> None:
    photograph = examples / "cat.jpg"
    with Image.open(photograph) as picture:
        image = np.array(picture.convert("RGB"))
    file = tmp_path / "calibrated.safetensors"
    shipped = Checkpoint.load(DEFAULT_WEIGHTS)
    export(shipped, image, shipped.summary, file, [image])
    settings = Settings(weights=file, threads=1, device="cpu", precision=Precision.INT8)
    with TestClient(create_app(settings)) as client:
        assert client.get("/model").json()["precision"] == "int8"
        picture_of_classes = client.post("/segment", content=photograph.read_bytes()).content
    mask = np.array(Image.open(BytesIO(picture_of_classes)))
    golden = Checkpoint.load(file).golden
    assert golden is not None
    assert 0 < (mask != golden.mask).mean() < 0.02


def test_every_problem_describes_itself(client: TestClient) -> None:
    for problem in PROBLEMS.values():
        assert client.get(problem.type).json()["title"] == problem.title
    require_problem(client.get("/problems/nonsense"), NOT_FOUND)


def test_another_checkpoint_with_classes_of_its_own_is_served(tmp_path: Path) -> None:
    labels = Labels(("wall", "floor", "door"), ((1, 2, 3), (4, 5, 6), (250, 9, 9)))
    config = NetworkConfig(num_classes=3, width=4)
    golden = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    file = tmp_path / "rooms.safetensors"
    export(Checkpoint(config, labels, build_network(config).state_dict()), golden, Summary(name="rooms"), file)
    with TestClient(create_app(Settings(weights=file, threads=1))) as client:
        assert [entry["name"] for entry in client.get("/classes").json()["classes"]] == [
            "wall",
            "floor",
            "door",
            "void",
        ]
        assert client.get("/model").json()["name"] == "rooms"
        body = (Path(__file__).parents[3] / "examples" / "cat.jpg").read_bytes()
        answer = client.post("/segment?format=json", content=body).json()
        assert {share["name"] for share in answer["classes"]} <= set(labels.names)
        picture = client.post("/segment", content=body)
        (tmp_path / "mask.png").write_bytes(picture.content)
        with Image.open(tmp_path / "mask.png") as mask:
            palette = mask.getpalette()
        assert palette is not None
        assert palette[:9] == [1, 2, 3, 4, 5, 6, 250, 9, 9]
