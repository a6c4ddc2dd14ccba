"""Handlers of mkdocs events. Run mkdocs as ``python -m mkdocs``, from the checkout's root."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from app.api.application import create_app
from app.settings import Settings
from docs.hooks import http_reference, walkthrough
from docs.hooks.command_reference import commands
from docs.hooks.links import DOCS, OUTSIDE, ROOT, linked_files, rewrite


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files outside ``docs/`` that pages link to, and the walkthrough's pictures."""
    pages = [DOCS / file.src_uri for file in files.documentation_pages()]
    for place, path in linked_files(pages).items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    for place, content in walkthrough.pictures().items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Rewrite links, and insert the generated parts."""
    place = page.file.src_uri
    source = ROOT / place.removeprefix(f"{OUTSIDE}/") if place.startswith(f"{OUTSIDE}/") else DOCS / place
    return _filled(rewrite(markdown, Path(source)))


def _filled(markdown: str) -> str:
    for name, made in _PARTS.items():
        mark = f"<!-- made: {name} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, made())
    return markdown


@cache
def _openapi() -> dict[str, Any]:
    return create_app(Settings()).openapi()


_PARTS: dict[str, Callable[[], str]] = {
    "operations": lambda: http_reference.operations(_openapi()),
    "schemas": lambda: http_reference.schemas(_openapi()),
    "fcn-segment": lambda: commands("app.cli.main", "fcn-segment"),
    "walkthrough": walkthrough.page,
    "training": lambda: commands("training.__main__", "python -m training"),
}
"""Name in a page's comment -> function that generates the part."""
