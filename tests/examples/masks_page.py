"""The small programs of docs/masks.md, which are those of examples/masks/, and what the page says that they print."""

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
    """What the page says that the program prints; an AssertionError if it doesn't show the program as it is."""
    match = re.search(re.escape(f"```python\n{program(name)}```\n") + r"```text\n(.*?)```\n", _PAGE, re.DOTALL)
    assert match, f"docs/masks.md does not show examples/masks/{name}.py with its output"
    return match[1]


def require_same(printed: str, shown: str) -> None:
    """Words are the same, and figures nearly: processors round differently where two classes are close."""
    assert _FIGURE.sub("#", printed).split() == _FIGURE.sub("#", shown).split()
    assert figures(printed) == pytest.approx(figures(shown), rel=0.02, abs=2)


def figures(text: str) -> list[float]:
    return [float(figure) for figure in _FIGURE.findall(text)]
