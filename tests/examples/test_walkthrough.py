from io import BytesIO

import nbformat
import numpy as np
import pytest
from PIL import Image

from docs.hooks import walkthrough

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
"""Cells that show a picture."""


def test_the_stored_notebook_is_valid_and_carries_no_outputs() -> None:
    notebook = nbformat.read(walkthrough.NOTEBOOK, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom_without_any_data_set() -> None:
    code = [cell for cell in walkthrough.executed().cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    pictures = walkthrough.pictures()
    assert {place.removeprefix("walkthrough/").rpartition("-")[0] for place in pictures} == _PICTURES
    for content in pictures.values():
        picture = Image.open(BytesIO(content))
        assert min(picture.size) >= 100
        assert np.asarray(picture.convert("RGB")).std() > 10  # not blank


@pytest.mark.slow
def test_the_page_shows_what_the_cells_print_and_draw() -> None:
    page = walkthrough.page()
    assert all(f"]({place})" in page for place in walkthrough.pictures())
    assert "```text\nno folder " in page
    assert "```text\nloss " in page  # with no bar or lines of progress before
    assert "step 1/" not in page
    assert page.count("<math") == 15
    assert "$" not in page.replace("$ ", "")
