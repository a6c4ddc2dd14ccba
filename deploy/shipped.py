"""The packages that the Dockerfile puts into the image, found among those installed here.

Packages of the base image, such as its own pip, are not included.
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
    """Packages that pip installs for the service, without those that the Dockerfile removes, sorted by name.

    Raises:
        importlib.metadata.PackageNotFoundError: a package is not installed here.
    """
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    names = _needed([Requirement(text) for text in project["dependencies"]]) - removed()
    return [distribution(name) for name in sorted(names)]


def removed() -> set[str]:
    """Names of the packages that the Dockerfile removes from the service's libraries."""
    found = _REMOVAL.search((_ROOT / "Dockerfile").read_text())
    assert found is not None
    return {canonicalize_name(name) for name in found[1].split()}


def _needed(requirements: list[Requirement]) -> set[str]:
    """Names of the required packages and of their transitive dependencies."""
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
            # The marker has been evaluated here with the extra, so it must not be evaluated again without.
            requirement.marker = None
            yield requirement


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
