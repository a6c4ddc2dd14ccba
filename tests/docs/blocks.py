"""The code blocks of a page, and the hidden comments that say how to test them.

Directly before a block of ``sh`` or ``python``, any of:

- ``<!-- not run: REASON -->``
- ``<!-- serves -->``: it starts the service and does not end; later blocks of the page use that service.
- ``<!-- shortened: A -> B -->``: B is run in place of A.

Before the next block: ``<!-- output -->``: it shows the output of the block before, with ``...`` for parts that differ
from run to run.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = ("sh", "python")

_BLOCK = re.compile(r"((?:^<!-- [^\n]* -->\n)*)^(`{3,})([\w.-]*)[^\n]*\n(.*?)^\2\n", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- (not run|serves|shortened|output)(?:: (.*?))? -->")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page.

    Attributes:
        line: number of its first line on the page.
        language: language that the fence names.
        text: text between the fences.
        not_run: reason why it is not run, if it is not.
        serves: whether it starts the service.
        shortened: replacements, as (old, new).
        output: output that the page shows, if any.
    """

    line: int
    language: str
    text: str
    not_run: str | None
    serves: bool
    shortened: tuple[tuple[str, str], ...]
    output: str | None

    @property
    def program(self) -> str:
        """Text to run, shortened."""
        program = self.text
        for long, short in self.shortened:
            assert long in program, f"line {self.line}: nothing to shorten: {long}"
            program = program.replace(long, short)
        return program


def blocks(markdown: str) -> list[Block]:
    """The ``sh`` and ``python`` blocks of a page, in order."""
    found = list(_BLOCK.finditer(markdown))
    return [
        _block(markdown, match, following)
        for match, following in zip(found, [*found, None][1:], strict=True)
        if match[3] in RUNNABLE
    ]


def languages(markdown: str) -> set[str]:
    """Languages that the fences of a page name."""
    return {match[3] for match in _BLOCK.finditer(markdown)}


def _block(markdown: str, match: re.Match[str], following: re.Match[str] | None) -> Block:
    comments = _comments(match)
    shown = following is not None and "output" in _comments(following)
    return Block(
        line=markdown.count("\n", 0, match.start(2)) + 1,
        language=match[3],
        text=match[4],
        not_run=next(iter(comments.get("not run", [])), None),
        serves="serves" in comments,
        shortened=tuple(_pair(text) for text in comments.get("shortened", [])),
        output=following[4] if shown and following is not None else None,
    )


def _comments(match: re.Match[str]) -> dict[str, list[str]]:
    comments: dict[str, list[str]] = {}
    for name, value in _COMMENT.findall(match[1]):
        comments.setdefault(name, []).append(value)
    return comments


def _pair(text: str) -> tuple[str, str]:
    long, arrow, short = text.partition(" -> ")
    assert arrow, text
    return long, short
