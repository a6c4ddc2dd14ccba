"""Generated tables of pages are up to date; `python -m docs.tables` updates them."""

from pathlib import Path

import pytest

from app.problems import PROBLEMS
from app.settings import Settings
from docs.tables import TABLES, filled, problems, scores, settings
from model.images import FORMATS
from model.images.signatures import NAMES
from model.images.tiff import COMPRESSIONS, PHOTOMETRICS
from tests.docs.blocks import ROOT


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_the_tables_of_the_page_are_up_to_date(page: Path) -> None:
    assert page.read_text() == filled(page)


def test_every_setting_and_every_problem_has_its_row() -> None:
    assert all(f"| `FCN_{name.upper()}` |" in settings() for name in Settings.model_fields)
    assert all(f"| {kind.status} |" in problems() and f"`{kind.type}`" in problems() for kind in PROBLEMS.values())


def test_every_format_and_every_layout_of_a_tiff_has_its_row() -> None:
    page = (ROOT / "docs/images.md").read_text()
    formats = {line.split("|")[1].strip().upper() for line in page.splitlines() if line.startswith("| ")}
    assert set(FORMATS) <= formats
    assert all(f"| {name} ({code}) |" in page for code, name in PHOTOMETRICS.items())
    assert all(name in page for name in (*COMPRESSIONS.values(), *NAMES))


def test_the_model_card_tells_the_same_scores_as_the_readme() -> None:
    assert scores() in (ROOT / "docs/model_card.md").read_text()
