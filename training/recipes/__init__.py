"""Built-in configurations: each is the file of its name in this folder."""

from pathlib import Path

_FOLDER = Path(__file__).parent

RECIPES = tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))
"""Names of the built-in recipes."""


def recipe_file(name: str | None) -> Path | None:
    """Return the file of a recipe's name, or the given path; None for None."""
    if name is None:
        return None
    return _FOLDER / f"{name}.toml" if name in RECIPES else Path(name)
