"""The packages that the Dockerfile puts into the image, found among those installed here.

What the base image brings, its own pip for one, is not among them.
"""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).resolve().parents[1]
_REMOVAL = re.compile(r"^RUN pip uninstall --yes ((?:[\w-]+ )+)&&", re.MULTILINE)


def shipped() -> list[Distribution]:
    """What pip installs for the service, less what the Dockerfile removes; by name.

    Raises:
        importlib.metadata.PackageNotFoundError: a package is not installed here.
    """
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    names = _needed([Requirement(text) for text in project["dependencies"]]) - removed()
    return [distribution(name) for name in sorted(names)]


def removed() -> set[str]:
    """The packages that the Dockerfile removes from the service's libraries."""
    found = _REMOVAL.search((_ROOT / "Dockerfile").read_text())
    assert found is not None
    return {canonicalize_name(name) for name in found[1].split()}


def _needed(requirements: list[Requirement]) -> set[str]:
    """Names of the packages required, and of what they require in turn."""
    seen: set[tuple[str, str]] = set()
    while requirements:
        requirement = requirements.pop()
        for extra in ("", *requirement.extras):
            key = (canonicalize_name(requirement.name), extra)
            if key not in seen and _holds(requirement, ""):
                seen.add(key)
                requirements += _required(requirement.name, extra)
    return {name for name, _ in seen}


def _required(name: str, extra: str) -> Iterator[Requirement]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if _holds(requirement, extra):
            # What it holds for is decided here, and not once more where it is looked at.
            requirement.marker = None
            yield requirement


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
