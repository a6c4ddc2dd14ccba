from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from deploy.licences import faults, licence
from deploy.sbom import SbomError, make_sbom
from deploy.shipped import removed, shipped

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
METADATA = "Metadata-Version: 2.4\nName: stranger\nVersion: 1.0\n"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return make_sbom(shipped())


def told(folder: Path, lines: str) -> Distribution:
    """An installed package with this metadata."""
    place = folder / "stranger-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(METADATA + lines)
    return Distribution.at(place)


def test_it_names_the_packages_of_the_service_and_no_others(document: dict[str, Any]) -> None:
    names = {component["name"].lower().replace("_", "-") for component in document["components"]}
    assert names == {package.name.lower().replace("_", "-") for package in shipped()}
    assert {"torch", "fastapi", "pillow-heif", "nvidia-cublas"} <= names
    assert not names & {"pytest", "ruff", "hypothesis", "fcn-segmentation", *removed()}
    assert document["metadata"]["component"]["name"] == "fcn-segmentation"


def test_each_version_is_the_one_that_the_constraints_pin(document: dict[str, Any]) -> None:
    lines = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    for component in document["components"]:
        assert f"{component['name']}=={component['version']}".lower().replace("_", "-") in lines


def test_each_licence_is_known_and_allowed(document: dict[str, Any]) -> None:
    assert faults(document["components"]) == []


def test_a_wheel_that_carries_libraries_of_other_licences_is_told_with_them(document: dict[str, Any]) -> None:
    (heif,) = (component for component in document["components"] if component["name"] == "pillow_heif")
    assert licence(heif) == "BSD-3-Clause AND GPL-2.0-or-later AND LGPL-3.0-or-later"


def test_it_tells_nothing_of_the_machine_that_it_was_made_on(document: dict[str, Any]) -> None:
    assert str(ROOT) not in str(document)
    assert "file://" not in str(document)
    assert document == make_sbom(shipped())


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("", "stranger: no licence is known"),
        ("License-Expression: AGPL-3.0-only\n", "stranger: not allowed: AGPL-3.0-only"),
        ("License-Expression: MIT AND (Apache-2.0 OR SSPL-1.0)\n", "stranger: not allowed: SSPL-1.0"),
    ],
)
def test_a_package_of_an_unknown_or_another_licence_is_found(tmp_path: Path, lines: str, fault: str) -> None:
    assert faults(make_sbom([told(tmp_path, lines)])["components"]) == [fault]


def test_a_package_whose_licence_is_allowed_is_let_through(tmp_path: Path) -> None:
    package = told(tmp_path, "License-Expression: MIT AND (Apache-2.0 WITH LLVM-exception OR BSD-3-Clause)\n")
    assert faults(make_sbom([package])["components"]) == []


def test_what_the_schema_forbids_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.sbom._describe", lambda _: {"bomFormat": "another", "components": []})
    with pytest.raises(SbomError):
        make_sbom([told(tmp_path, "")])
