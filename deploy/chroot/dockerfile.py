"""A Dockerfile, read: its stages and their instructions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser
from dockerfile_parse.parser import image_from

from deploy.chroot.errors import CheckError


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile."""

    instruction: str
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """What the Dockerfile says of a stage.

    Attributes:
        name: name of the stage; its number where it has none.
        origin: the image or the stage that it starts from.
        steps: those after ``FROM``.
    """

    name: str
    origin: str
    steps: tuple[Step, ...]

    @property
    def sources(self) -> set[str]:
        """The stages and images that it is made of."""
        copied = [word for step in self.steps if step.instruction == "COPY" for word in step.value.split()]
        return {self.origin} | {word.removeprefix("--from=") for word in copied if word.startswith("--from=")}


def read_sections(file: Path) -> list[Section]:
    """The stages of a Dockerfile, in its order."""
    structure = DockerfileParser(str(file)).structure
    steps = [Step(step["instruction"], step["value"]) for step in structure if step["instruction"] != "COMMENT"]
    starts = [number for number, step in enumerate(steps) if step.instruction == "FROM"]
    if not starts or starts[0] != 0:
        raise CheckError("no instruction may stand before the first FROM")
    ends = [*starts[1:], len(steps)]
    return [_section(number, steps[start:end]) for number, (start, end) in enumerate(zip(starts, ends, strict=True))]


def _section(number: int, steps: Sequence[Step]) -> Section:
    value = steps[0].value
    image, name = image_from(value)
    if image is None or value.startswith("--"):
        raise CheckError(f"FROM {value}: not understood")
    return Section(name or str(number), image, tuple(steps[1:]))


def needed(sections: Sequence[Section], target: str) -> list[Section]:
    """The sections that ``target`` is made of, itself the last; others are not built, as BuildKit does."""
    if target not in {section.name for section in sections}:
        raise CheckError(f"no stage is called {target}")
    names = {target}
    for section in reversed(sections):
        if section.name in names:
            names |= section.sources
    return [section for section in sections if section.name in names]
