import re
from pathlib import Path

import pytest
import yaml

from deploy.chroot.dockerfile import Section, needed, read_sections
from deploy.chroot.ignores import read_ignores

ROOT = Path(__file__).parents[2]
SECTIONS = read_sections(ROOT / "Dockerfile")
NAMES = [section.name for section in SECTIONS]


def section(name: str) -> Section:
    return SECTIONS[NAMES.index(name)]


def copied(name: str) -> set[str]:
    """What a stage copies from the checkout, those that it is made of included."""
    steps = [step for found in needed(SECTIONS, name) for step in found.steps if step.instruction == "COPY"]
    return {word for step in steps if "--from" not in step.value for word in step.value.split()[:-1]}


def test_the_default_target_is_the_service_and_the_others_have_names() -> None:
    assert NAMES[-1] == "serve"
    assert {"build", "train"} <= set(NAMES)


def test_compose_asks_for_targets_that_there_are() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    targets = {service["build"].get("target", "serve") for service in services if "build" in service}
    assert {"serve", "train"} <= targets <= set(NAMES)


def test_the_base_is_pinned_and_said_once() -> None:
    outside = [found.origin for found in SECTIONS if found.origin not in NAMES]
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", outside[0])


def test_what_pip_installs_is_pinned_and_leaves_no_cache() -> None:
    installs = [step.value for found in SECTIONS for step in found.steps if "pip install" in step.value]
    assert len(installs) == 4
    for install in installs:
        assert "--constraint constraints.txt" in install
        assert "--no-cache-dir" in install


def test_the_service_ships_without_training_tests_and_what_builds_it() -> None:
    assert copied("serve") == {"constraints.txt", "pyproject.toml", "app", "model"}
    assert copied("train") == copied("serve") | {"training"}
    last = {step.value for step in section("serve").steps if step.instruction == "COPY"}
    assert last == {"--from=libraries /opt/venv /opt/venv", "--from=code /srv /srv"}


def test_the_libraries_do_not_depend_on_the_code() -> None:
    assert copied("libraries") == {"constraints.txt", "pyproject.toml"}


def test_the_build_is_shown_what_it_copies_and_nothing_else() -> None:
    ignored = read_ignores(ROOT / ".dockerignore")
    top = {path.name for path in ROOT.iterdir() if not ignored(path.name)}
    assert top == copied("train")
    assert ignored("app/__pycache__/settings.cpython-311.pyc")
    assert not ignored("model/weights/voc.safetensors")


@pytest.mark.parametrize("name", ["serve", "train"])
def test_nothing_runs_as_root_or_writes_compiled_modules(name: str) -> None:
    steps = [step for found in needed(SECTIONS, name) for step in found.steps]
    assert [step.value for step in steps if step.instruction == "USER"] == ["10001:10001"]
    assert any("PYTHONDONTWRITEBYTECODE=1" in step.value for step in steps if step.instruction == "ENV")
