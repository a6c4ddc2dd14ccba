"""Links between pages, and out of ``docs/`` into the rest of the checkout.

The site has the pages, and under ``repository/`` every other file of the checkout that a page links to. So links work
there as in a checkout, without the address of any host.
"""

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OUTSIDE = "repository"

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)(?=[)#])")


def linked_files(pages: list[Path]) -> dict[str, Path]:
    """Path in the site -> each file outside ``docs/`` that pages link to, directly or by other such files."""
    found: dict[str, Path] = {}
    waiting = list(pages)
    while waiting:
        for target in _targets(waiting.pop()):
            place = _place(target)
            if not target.is_relative_to(DOCS) and place not in found:
                found[place] = target
                waiting += [target] if target.suffix == ".md" else []
    return found


def rewrite(markdown: str, source: Path) -> str:
    """Rewrite a page's links for the site; ``source`` is its file in the checkout."""
    here = posixpath.dirname(_place(source))

    def rewritten(match: re.Match[str]) -> str:
        target = _target(match[1], source)
        return match[1] if target is None else posixpath.relpath(_place(target), here or ".")

    return _LINK.sub(rewritten, markdown)


def _targets(page: Path) -> Iterator[Path]:
    for match in _LINK.finditer(page.read_text()):
        target = _target(match[1], page)
        if target is not None:
            yield target


def _target(link: str, source: Path) -> Path | None:
    """File of the checkout that a link leads to; None if it leads elsewhere."""
    target = Path(os.path.normpath(source.parent / link))
    return target if target.is_relative_to(ROOT) and target.is_file() else None


def _place(path: Path) -> str:
    """Path in the site of a file of the checkout."""
    inside = path.is_relative_to(DOCS)
    return path.relative_to(DOCS).as_posix() if inside else f"{OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
