"""Configurations that ship: each is the file of its name beside this one."""

from pathlib import Path

_FOLDER = Path(__file__).parent

RECIPES = tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))
"""Names of the recipes that ship."""


def recipe_file(name: str | None) -> Path | None:
    """The file of a recipe's name, or of a path; None of None."""
    if name is None:
        return None
    return _FOLDER / f"{name}.toml" if name in RECIPES else Path(name)
