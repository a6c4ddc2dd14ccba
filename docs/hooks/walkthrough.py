"""The walkthrough as a page: the executed notebook with its cells' output and pictures."""

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
"""Folder of the pictures in the site."""

_TIMEOUT_S = 600
_FORMULA = re.compile(r"(?<!`)\$([^$`]+)\$")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@cache
def executed() -> NotebookNode:
    """Run the notebook without any data set; fail if it leaves files behind."""
    notebook = cast("NotebookNode", nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT))  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        # The kernel must not see the user's data and settings, or work in the project's root.
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
    """All cells as Markdown, without the notebook's title, which the page already has."""
    parts = [part for cell in executed().cells for part in _cell(cell)]
    return "\n\n".join(parts).partition("\n")[2]


def pictures() -> dict[str, bytes]:
    """Path in the site -> PNG of each picture that a cell draws."""
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
    """Output and pictures of a cell, without its progress on standard error."""
    outputs = cell.outputs if cell.cell_type == "code" else []
    return [output for output in outputs if output.get("name") != "stderr"]


def _is_picture(output: NotebookNode) -> bool:
    return "image/png" in output.get("data", {})


def _place(cell: NotebookNode, number: int) -> str:
    return f"{PICTURES}/{cell.id}-{number}.png"
