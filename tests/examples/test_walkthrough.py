import asyncio
import base64
from io import BytesIO
from pathlib import Path
from typing import cast

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

_TIMEOUT_S = 600

_PICTURES = {
    "samples",
    "colours",
    "random-crop",
    "bilinear-upsampling",
    "train",
    "predict",
    "overlapping-tiles",
    "comparison",
}
"""The cells that show one."""


@pytest.fixture
def notebook(examples: Path) -> nbformat.NotebookNode:
    stored = nbformat.read(examples / "walkthrough.ipynb", as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    return cast("nbformat.NotebookNode", stored)


def test_the_stored_notebook_is_valid_and_carries_no_outputs(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom_without_any_data_set(
    notebook: nbformat.NotebookNode, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FCN_DATA", str(tmp_path / "absent"))
    monkeypatch.setenv("PYTHONPATH", str(examples.parent))  # the kernel does not work in the project's root
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):  # a user's own stay out of it
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    workplace = tmp_path / "workplace"
    workplace.mkdir()

    client = NotebookClient(
        notebook, timeout=_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(workplace)}}
    )
    asyncio.run(client.async_execute())  # client.execute() leaves its event loop open

    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    pictures = {cell.id: _pictures(cell) for cell in code}
    assert {name for name, shown in pictures.items() if shown} == _PICTURES
    for shown in pictures.values():
        for picture in shown:
            assert min(picture.size) >= 100
            assert np.asarray(picture.convert("RGB")).std() > 10  # not blank
    assert list(workplace.iterdir()) == []


def _pictures(cell: nbformat.NotebookNode) -> list[Image.Image]:
    """What a cell shows, decoded."""
    encoded = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return [Image.open(BytesIO(base64.b64decode(data))) for data in encoded]
