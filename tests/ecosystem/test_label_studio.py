from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import numpy as np
import pytest
from label_studio_sdk import LabelStudio
from label_studio_sdk.converter.brush import decode_rle
from label_studio_sdk.label_interface import LabelInterface
from numpy.typing import NDArray
from skimage.draw import polygon2mask
from starlette.testclient import TestClient

from app.client import Client
from benchmarks.waiting import wait_until
from examples.label_studio.backend import create_backend
from examples.label_studio.files import Files
from examples.label_studio.regions import controls
from tests.app.server_process import ServerProcess
from tests.ecosystem.label_studio_backend import BackendProcess
from tests.ecosystem.label_studio_server import PROGRAM, LabelStudioServer

CONFIG = """
<View>
  <Image name="photograph" value="$image"/>
  <BrushLabels name="brush" toName="photograph">
    <Label value="Cat"/>
    <Label value="Human" predicted_values="person,people"/>
  </BrushLabels>
  <PolygonLabels name="outline" toName="photograph">
    <Label value="cat"/>
  </PolygonLabels>
</View>
"""

needs_label_studio = pytest.mark.skipif(
    not PROGRAM.exists(), reason=f"{PROGRAM} is missing: see tests/ecosystem/requirements-label-studio.txt"
)


def brush_mask(region: dict[str, Any]) -> NDArray[np.bool_]:
    """Mask that Label Studio's own decoder reads from a brush region."""
    shape = (region["original_height"], region["original_width"], 4)
    decoded: NDArray[np.bool_] = decode_rle(region["value"]["rle"]).reshape(shape)[:, :, 3] > 0
    return decoded


def polygon_mask(regions: list[dict[str, Any]]) -> NDArray[np.bool_]:
    """Mask of the pixels whose centres are in one of the polygons."""
    height, width = regions[0]["original_height"], regions[0]["original_width"]
    masks = [
        polygon2mask((height, width), np.array(region["value"]["points"])[:, ::-1] * (height / 100, width / 100) - 0.5)
        for region in regions
    ]
    covered: NDArray[np.bool_] = np.any(masks, axis=0)
    return covered


def of_kind(result: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [region for region in result if region["type"] == kind]


def require_cat(result: list[dict[str, Any]], mask: NDArray[np.uint8]) -> None:
    """Require that the regions are those of the cat, with the configuration's names."""
    (brush,) = of_kind(result, "brushlabels")
    assert brush["value"]["brushlabels"] == ["Cat"]
    np.testing.assert_array_equal(brush_mask(brush), mask == 8)
    outlines = of_kind(result, "polygonlabels")
    assert {label for outline in outlines for label in outline["value"]["polygonlabels"]} == {"cat"}
    drawn = polygon_mask(outlines)
    assert (drawn & (mask == 8)).sum() / (drawn | (mask == 8)).sum() > 0.99


@pytest.mark.parametrize("photograph", ["cat", "astronaut"])
def test_the_sdk_finds_our_regions_valid(server: ServerProcess, examples: Path, photograph: str) -> None:
    with Client(server.url) as client:
        segmentation = client.segment(examples / f"{photograph}.jpg")
    result = [region for control in controls(CONFIG) for region in control.regions(segmentation)]
    assert result
    assert (
        LabelInterface(CONFIG).validate_prediction({"model_version": "1", "result": result}, return_errors=True) == []
    )
    if photograph == "cat":
        require_cat(result, segmentation.mask)
    else:
        (brush,) = of_kind(result, "brushlabels")
        assert brush["value"]["brushlabels"] == ["Human"]
        np.testing.assert_array_equal(brush_mask(brush), segmentation.mask == 15)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]",
        b"{}",
        b'{"schema": "<View"}',
        b'{"schema": ""}',
        b'{"schema": 5}',
        b'{"schema": null}',
        b"[" * 10**5,
    ],
)
def test_a_labelling_interface_that_cannot_be_read_is_refused(body: bytes) -> None:
    with Client("http://127.0.0.1:9") as client, Files("http://127.0.0.1:9", "key") as files:
        backend = TestClient(create_backend(client, files))
        assert backend.post("/setup", content=body).status_code == 400


def test_tags_of_other_kinds_or_objects_are_left_alone() -> None:
    config = """
    <View>
      <Image name="pages" valueList="$pages"/>
      <Text name="text" value="$text"/>
      <Image name="photograph" value="$photo"/>
      <BrushLabels name="brush" toName="pages"><Label value="cat"/></BrushLabels>
      <Labels name="words" toName="text"><Label value="cat"/></Labels>
      <RectangleLabels name="box" toName="photograph"><Label value="cat"/></RectangleLabels>
      <PolygonLabels name="outline" toName="photograph"><Label value="cat"/></PolygonLabels>
    </View>
    """
    assert [(control.name, control.image_key) for control in controls(config)] == [("outline", "photo")]


@pytest.fixture(scope="module")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    with LabelStudioServer(tmp_path_factory.mktemp("label_studio")) as label_studio:
        yield label_studio


@pytest.fixture(scope="module")
def key(label_studio: LabelStudioServer) -> str:
    return label_studio.access_token()


@pytest.fixture(scope="module")
def sdk(label_studio: LabelStudioServer, key: str) -> Iterator[LabelStudio]:
    with httpx.Client(timeout=60) as http:
        yield LabelStudio(base_url=label_studio.url, api_key=key, httpx_client=http)


@pytest.fixture(scope="module")
def backend(server: ServerProcess, label_studio: LabelStudioServer, key: str) -> Iterator[BackendProcess]:
    with BackendProcess(server.url, label_studio.url, key) as backend:
        yield backend


def upload(sdk: LabelStudio, project: int, url: str, key: str, *files: tuple[str, bytes]) -> None:
    """Import images by a form, as the page does; the SDK imports only URLs."""
    access = httpx2.post(f"{url}/api/token/refresh", json={"refresh": key}, timeout=60).json()["access"]
    for name, content in files:
        answer = httpx2.post(
            f"{url}/api/projects/{project}/import",
            headers={"Authorization": f"Bearer {access}"},
            files={"file": (name, content, "image/jpeg")},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text


def predictions(sdk: LabelStudio, project: int) -> dict[str, list[Any]]:
    """End of the image's name -> the task's predictions."""
    return {
        str(task.data["image"]).rpartition("-")[2]: sdk.predictions.list(task=task.id)
        for task in sdk.tasks.list(project=project)
    }


@needs_label_studio
def test_label_studio_accepts_the_backend_and_keeps_its_masks(
    server: ServerProcess,
    label_studio: LabelStudioServer,
    key: str,
    sdk: LabelStudio,
    backend: BackendProcess,
    cat: bytes,
) -> None:
    project = sdk.projects.create(title="cats", label_config=CONFIG)
    upload(sdk, project.id, label_studio.url, key, ("cat.jpg", cat), ("broken.jpg", b"no image"))
    connected = sdk.ml.create(url=backend.url, project=project.id, title="FCN")
    assert connected.state == "CO"

    sdk.actions.create(
        id="retrieve_tasks_predictions", project=project.id, selected_items={"all": True, "excluded": []}
    )
    stored = predictions(sdk, project.id)
    assert stored["broken.jpg"] == []
    (prediction,) = stored["cat.jpg"]

    with Client(server.url) as client:
        segmentation = client.segment(cat)
    require_cat(prediction.result, segmentation.mask)
    assert prediction.model_version == segmentation.checkpoint[:12]
    wait_until(lambda: any("task " in line and "not-an-image" in line for line in backend.log))


@needs_label_studio
def test_label_studio_refuses_a_project_without_tags_for_masks(sdk: LabelStudio, backend: BackendProcess) -> None:
    config = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
    project = sdk.projects.create(title="texts", label_config=config)
    with pytest.raises(Exception, match="doesn't look like a valid ML backend"):
        sdk.ml.create(url=backend.url, project=project.id, title="FCN")


@needs_label_studio
def test_starting_a_training_does_no_harm(sdk: LabelStudio, backend: BackendProcess) -> None:
    project = sdk.projects.create(title="trained", label_config=CONFIG)
    connected = sdk.ml.create(url=backend.url, project=project.id, title="FCN")
    sdk.ml.train(id=connected.id)
    assert httpx2.get(f"{backend.url}/health", timeout=60).json()["status"] == "UP"
