from pathlib import Path

import pytest

from deploy.chroot.dockerfile import Step, needed, read_sections
from deploy.chroot.errors import CheckError

TEXT = """
FROM python:3.11.15-slim-bookworm AS base
# A comment.
RUN true
FROM base AS build
RUN make \\
    all
FROM build AS docs
RUN make docs
FROM base
COPY --from=build /a /b
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Dockerfile"
    path.write_text(TEXT)
    return path


def test_stages_have_names_origins_and_steps(file: Path) -> None:
    base, build, docs, last = read_sections(file)
    assert (base.name, base.origin) == ("base", "python:3.11.15-slim-bookworm")
    assert build.steps == (Step("RUN", "make     all"),)
    assert docs.origin == "build"
    assert (last.name, last.origin) == ("3", "base")


def test_only_what_a_target_is_made_of_is_built(file: Path) -> None:
    sections = read_sections(file)
    assert [section.name for section in needed(sections, "3")] == ["base", "build", "3"]
    assert [section.name for section in needed(sections, "docs")] == ["base", "build", "docs"]


def test_a_target_that_there_is_not_is_named(file: Path) -> None:
    with pytest.raises(CheckError, match="no stage is called tests"):
        needed(read_sections(file), "tests")


@pytest.mark.parametrize("text", ["RUN true\nFROM a\n", "", "FROM --platform=linux/amd64 a\n"])
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    with pytest.raises(CheckError):
        read_sections(path)
