"""The programs of docs/masks.md, which are those of examples/masks/, and their output according to the page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("with_numpy", "with_opencv", "with_scikit_image", "with_supervision")

_PAGE = (ROOT / "docs/masks.md").read_text()
_DOCSTRING = re.compile(r'\A""".*?"""\n\n', re.DOTALL)
_FIGURE = re.compile(r"\d+(?:\.\d+)?")


def program(name: str) -> str:
    """A program as the page shows it."""
    return _DOCSTRING.sub("", (ROOT / f"examples/masks/{name}.py").read_text())


def shown_output(name: str) -> str:
    """Output of a program according to the page; fails if the page does not show the program unchanged."""
    match = re.search(re.escape(f"```python\n{program(name)}```\n") + r"```text\n(.*?)```\n", _PAGE, re.DOTALL)
    assert match, f"docs/masks.md does not show examples/masks/{name}.py with its output"
    return match[1]


def require_same(printed: str, shown: str) -> None:
    """Require equal words and nearly equal numbers: CPUs round differently where two classes are close."""
    assert _FIGURE.sub("#", printed).split() == _FIGURE.sub("#", shown).split()
    assert figures(printed) == pytest.approx(figures(shown), rel=0.02, abs=2)


def figures(text: str) -> list[float]:
    return [float(figure) for figure in _FIGURE.findall(text)]
