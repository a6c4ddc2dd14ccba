"""The walkthrough as a page: the notebook is run, and shown with what its cells print and draw."""

import asyncio
import base64
import os
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast
from unittest import mock

import nbformat
from latex2mathml.converter import convert
from nbclient import NotebookClient
from nbformat import NotebookNode

from docs.hooks.links import ROOT

NOTEBOOK = ROOT / "examples/walkthrough.ipynb"
PICTURES = "walkthrough"
"""Folder of the site."""

_TIMEOUT_S = 600
_FORMULA = re.compile(r"(?<!`)\$([^$`]+)\$")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@cache
def executed() -> NotebookNode:
    """The notebook after a run without any data set; it leaves nothing behind."""
    notebook = cast("NotebookNode", nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT))  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        # A user's own data and settings stay out of it, and the kernel does not work in the project's root.
        own = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
        variables = {name: str(Path(folder, name.lower())) for name in own}
        variables |= {"FCN_DATA": "/nowhere", "PYTHONPATH": str(ROOT)}
        workplace = Path(folder, "workplace")
        workplace.mkdir()
        resources = {"metadata": {"path": str(workplace)}}
        client = NotebookClient(notebook, timeout=_TIMEOUT_S, kernel_name="python3", resources=resources)
        with mock.patch.dict(os.environ, variables):
            asyncio.run(client.async_execute())  # client.execute() leaves its event loop open
        assert list(workplace.iterdir()) == [], "the notebook leaves files behind"
    return notebook


def page() -> str:
    """All cells as Markdown; the notebook's title is the page's already."""
    parts = [part for cell in executed().cells for part in _cell(cell)]
    return "\n\n".join(parts).partition("\n")[2]


def pictures() -> dict[str, bytes]:
    """What the cells draw, as PNGs by their places in the site."""
    return {
        _place(cell, number): base64.b64decode(output.data["image/png"])
        for cell in executed().cells
        for number, output in enumerate(_outputs(cell))
        if _is_picture(output)
    }


def _cell(cell: NotebookNode) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield _FORMULA.sub(lambda match: convert(match[1]), cell.source)
        return
    yield f"```python\n{cell.source}\n```"
    for number, output in enumerate(_outputs(cell)):
        if _is_picture(output):
            yield f"![what `{cell.id}` draws]({_place(cell, number)})"
        else:
            text = output.text if output.output_type == "stream" else output.data["text/plain"]
            yield f"```text\n{_ESCAPE.sub('', text).rstrip()}\n```"


def _outputs(cell: NotebookNode) -> list[NotebookNode]:
    """What a cell prints and draws, without the progress that it tells meanwhile."""
    outputs = cell.outputs if cell.cell_type == "code" else []
    return [output for output in outputs if output.get("name") != "stderr"]


def _is_picture(output: NotebookNode) -> bool:
    return "image/png" in output.get("data", {})


def _place(cell: NotebookNode, number: int) -> str:
    return f"{PICTURES}/{cell.id}-{number}.png"
