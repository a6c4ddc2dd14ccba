"""The project's conventions: one version, a complete package, correct workflows and documents."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from email import message_from_string
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from packaging.version import Version

from app import __version__
from app.api.application import create_app
from app.observability.metrics import Metrics
from app.settings import Settings
from tests.programs import needs

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "model", "training")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COMPARED = (ROOT / "docs/compared.md").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

SCHEMAS = {
    **dict.fromkeys(WORKFLOWS, "vendor.github-workflows"),
    **dict.fromkeys((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"), "vendor.github-issue-forms"),
    ROOT / ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ROOT / ".github/dependabot.yml": "vendor.dependabot",
    ROOT / "CITATION.cff": "vendor.citation-file-format",
}


def program(name: str) -> str:
    """Path of a program that is installed beside Python."""
    return str(Path(sys.executable).parent / name)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZipFile]:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("package")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*build, "--no-build-isolation", "--wheel-dir", folder / "wheels", folder], check=True)
    (file,) = (folder / "wheels").iterdir()
    with ZipFile(file) as archive:
        yield archive


@pytest.mark.slow
def test_the_version_is_read_where_it_is_written(wheel: ZipFile) -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert message_from_string(wheel.read(name).decode())["Version"] == __version__
    assert create_app(Settings()).openapi()["info"]["version"] == __version__
    metrics = Metrics()
    metrics.loaded(sha256="5f0c", precision="float32", device=torch.device("cpu"))
    assert f'fcn_info{{device="cpu",precision="float32",sha256="5f0c",version="{__version__}"}}' in str(
        metrics.exposition(), "utf-8"
    )


def test_the_version_can_be_told_without_anything_installed() -> None:
    tell = [sys.executable, "-S", "-c", "import app; print(app.__version__)"]
    assert subprocess.run(tell, cwd=ROOT, capture_output=True, text=True, check=True).stdout == f"{__version__}\n"


def test_a_citation_names_no_version_that_could_grow_old() -> None:
    citation: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert not {"version", "date-released", "commit"} & set(citation)
    assert citation["license"] == PROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")


def test_the_changelog_has_what_is_unreleased_first_and_then_versions_down_from_this_one() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert all(released)
    versions = [Version(match[1]) for match in released if match]
    dates = [match[2] for match in released if match]
    assert [Version(__version__), *versions] == sorted([Version(__version__), *versions], reverse=True)
    assert len(set(versions)) == len(versions)
    assert dates == sorted(dates, reverse=True)


@pytest.mark.slow
def test_the_package_holds_every_file_that_its_folders_hold(wheel: ZipFile) -> None:
    here = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {f"{package}/py.typed" for package in PACKAGES} < packed
    assert packed == here


@pytest.mark.parametrize(("file", "schema"), SCHEMAS.items(), ids=[file.name for file in SCHEMAS])
def test_a_file_follows_its_schema(file: Path, schema: str) -> None:
    result = CliRunner().invoke(check_jsonschema, ["--builtin-schema", schema, str(file)])
    assert result.exit_code == 0, result.output


def workflow(file: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    found: dict[str, Any] = {str(key): value for key, value in yaml.safe_load(file.read_text()).items()}
    return found


def jobs(file: Path) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = workflow(file)["jobs"]
    return found


def steps(file: Path) -> list[Mapping[str, Any]]:
    return [step for job in jobs(file).values() for step in job.get("steps", [])]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_may_read_and_each_job_says_what_else_it_may(file: Path) -> None:
    assert workflow(file)["permissions"] == {"contents": "read"}
    assert workflow(file)["concurrency"]["group"]
    for job in jobs(file).values():
        assert "timeout-minutes" in job or "uses" in job
        assert isinstance(job.get("permissions", {}), dict)
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_of_others_are_taken_at_a_version(file: Path) -> None:
    used = [step["uses"] for step in steps(file) if "uses" in step]
    assert all(re.fullmatch(r"[\w./-]+@(v\d+|release/v\d+|[0-9a-f]{40})", action) for action in used), used
    for job in jobs(file).values():
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file()


def test_ci_runs_what_anyone_can_run() -> None:
    tests = jobs(ROOT / ".github/workflows/checks.yml")["test"]
    assert tests["steps"][-1] == {"run": ".ci/run"}
    assert os.access(ROOT / ".ci/run", os.X_OK)
    oldest, *_ = pythons = tests["strategy"]["matrix"]["python"]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    assert pythons == [f"3.{minor}" for minor in range(11, 15)]
    made = {
        match[1] for file in WORKFLOWS for step in steps(file) if (match := re.match("make (.*)", step.get("run", "")))
    }
    assert {"check", "docs"} <= made <= targets()


@needs("git")
def test_hooks_format_check_and_refuse(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    untidy = tmp_path / "untidy.py"
    untidy.write_text('"""A module."""\nimport   os\nprint( "x" )\n')
    hooks = [program("pre-commit"), "run", "--files", str(untidy)]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", ".pre-commit-config.yaml"], cwd=tmp_path, check=True)
    subprocess.run([program("pre-commit"), "validate-config"], cwd=tmp_path, env=environment, check=True)

    first = subprocess.run(hooks, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 1
    assert untidy.read_text() == '"""A module."""\n\nprint("x")\n'
    assert "T201" in first.stdout
    untidy.write_text('"""A module."""\n\nNUMBER = 1\n')
    second = subprocess.run(hooks, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stdout


def targets() -> set[str]:
    """Targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_what_a_page_for_contributors_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:app|model|training|tests|benchmarks|deploy|docs|\.github|\.ci)/[\w./-]*)`", text)
    paths = {name for name in named if not re.search("NAME|GROUP", name)}
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
    files = re.findall(r"`((?:test_)?\w+\.py)`", text)
    assert [file for file in files if not any(ROOT.glob(f"[a-z]*/**/{file}"))] == []
    assert set(re.findall(r"`?make ([a-z-]+)", text)) <= targets()
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_constants_that_the_contributors_page_names_are_there() -> None:
    names = set(re.findall(r"`(_?[A-Z][A-Z_]{4,})`", CONTRIBUTING))
    code = "".join(file.read_text() for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    workflows = "".join(file.read_text() for file in WORKFLOWS)
    assert {"_TYPES", "FORMATS", "_OFFERED", "REGISTRY"} <= names
    assert [name for name in names if not re.search(rf"\b{name}\b", code + workflows)] == []


def test_each_cell_of_the_comparison_has_its_source() -> None:
    tables = [part for part in COMPARED.split("\n## ") if part.startswith("What each")]
    assert len(tables) == 5
    for table in tables:
        head, rule, *rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
        assert rule == ["---"] * len(head)
        assert len(rows) == 9
        for service, *cells in rows:
            assert len(cells) == len(head) - 1, service
            assert [cell for cell in cells if "](" not in cell and "][" not in cell] == [], service


def test_links_of_the_comparison_are_defined_and_used() -> None:
    defined = dict(re.findall(r"^\[([\w-]+)\]: (\S+)$", COMPARED, re.MULTILINE))
    used = set(re.findall(r"\]\[([\w-]+)\]", COMPARED))
    assert used == set(defined)
    assert all(address.startswith("https://") for address in defined.values())
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]+)#?([^)]*)\)", COMPARED):
        titles = re.findall("^#+ (.*)$", (ROOT / "docs" / path).read_text(), re.MULTILINE)
        headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert not anchor or anchor in headings, (path, anchor)


def test_figures_of_the_comparison_are_those_of_the_benchmarks() -> None:
    section = re.search(r"<!-- speed -->\n(.*?)<!-- /speed -->", COMPARED, re.DOTALL)
    assert section
    figures = [line for line in section[1].splitlines() if line.startswith("| ours")]
    measured = (ROOT / "docs/records/benchmarks.md").read_text().splitlines()
    assert len(figures) >= 4
    assert [line for line in figures if line not in measured] == []


def test_figures_of_the_readme_are_those_of_the_records() -> None:
    rows = re.findall(r"^\| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    table = {name: cells for name, *cells in (row.split(" | ") for row in rows) if len(cells) == 3}
    throughputs, p50s = table["requests a second, eight clients"], table["p50 of one client, ms"]
    ratios = table["throughput / that of the service that tutorials write"]
    page = (ROOT / "docs/records/benchmarks.md").read_text()
    records = page.partition("<!-- http -->")[2].partition("<!-- /http -->")[0]
    measured = {row[0]: row for row in (line.strip("| ").split(" | ") for line in records.splitlines())}
    for precision, throughput, p50, ratio in zip(table["measure"], throughputs, p50s, ratios, strict=True):
        service = f"ours-{precision}"
        assert (measured[service][1], measured[service][4]) == (p50, throughput)
        assert f"| {service} / naive: throughput | {ratio} |" in records
