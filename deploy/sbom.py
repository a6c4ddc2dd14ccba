"""Write a software bill of materials (SBOM) of the image, as CycloneDX 1.6 in JSON.

It lists the service's packages as they are installed here, without those that the Dockerfile removes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.licences import STATED, faults, licence
from deploy.shipped import shipped

_PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


class SbomError(Exception):
    """The document does not conform to CycloneDX's schema."""


def main() -> None:
    """Write the document and print the packages of each licence; exit with code 1 if a licence is not allowed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sbom", description=__doc__)
    parser.add_argument("file", type=Path, help="file to write")
    options = parser.parse_args()
    document = make_sbom(shipped())
    options.file.write_text(json.dumps(document, indent=2) + "\n")
    _print_licences(document["components"])
    if found := faults(document["components"]):
        raise SystemExit("\n".join(f"error: {fault}" for fault in found))


def make_sbom(packages: Sequence[Distribution]) -> dict[str, Any]:
    """Create the CycloneDX document of these packages and validate it.

    Raises:
        SbomError: the document does not conform to the schema.
    """
    with tempfile.TemporaryDirectory() as folder:
        # An environment that holds nothing but the packages' metadata.
        environment = Path(folder, "environment")
        venv.create(environment)
        (libraries,) = environment.glob("lib/python*/site-packages")
        for package in packages:
            told = Path(str(package.locate_file(""))) / f"{_folder_name(package)}.dist-info"
            (libraries / told.name).symlink_to(told.resolve(strict=True))
        document = _describe(environment)
    for component in document["components"]:
        if stated := STATED.get(component["name"].lower().replace("_", "-")):
            component["licenses"] = [{"expression": stated, "acknowledgement": "concluded"}]
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    if fault is not None:
        raise SbomError(str(fault))
    return document


def _folder_name(package: Distribution) -> str:
    folder = getattr(package, "_path", None)
    assert isinstance(folder, Path)
    return folder.name.removesuffix(".dist-info")


def _describe(environment: Path) -> dict[str, Any]:
    options = ["--output-reproducible", "--spec-version", "1.6", "--pyproject", str(_PROJECT)]
    result = subprocess.run(
        [sys.executable, "-m", "cyclonedx_py", "environment", *options, str(environment)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def _print_licences(components: Sequence[Mapping[str, Any]]) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for component in components:
        names[licence(component) or "unknown"].append(component["name"])
    print("| licence | packages |")
    print("| --- | --- |")
    for expression, found in sorted(names.items()):
        print(f"| {expression} | {', '.join(sorted(found, key=str.lower))} |")


if __name__ == "__main__":
    main()
