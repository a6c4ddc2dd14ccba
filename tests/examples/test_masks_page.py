import pytest

from tests.examples.masks_page import NAMES, ROOT, figures, shown_output


@pytest.mark.parametrize("name", NAMES)
def test_the_page_shows_the_program_and_what_it_prints(name: str) -> None:
    assert figures(shown_output(name))


def test_no_program_is_missing_from_the_page() -> None:
    assert {path.stem for path in (ROOT / "examples/masks").glob("[!_]*.py")} == set(NAMES)
