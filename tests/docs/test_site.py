"""The documentation site builds in strict mode, is complete, and loads nothing from other hosts."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.api.application import create_app
from app.problems import PROBLEMS
from app.settings import Settings
from docs.hooks.links import linked_files, rewrite
from tests.docs.blocks import ROOT

_LOADING = {"img": "src", "script": "src", "source": "src", "iframe": "src", "object": "data", "use": "href"}
_LOADING_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "manifest"}


class Loads(HTMLParser):
    """Resources that a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        relations = set((values.get("rel") or "").split())
        name = "href" if tag == "link" and relations & _LOADING_RELATIONS else _LOADING.get(tag, "")
        if address := values.get(name):
            self.addresses.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder


@pytest.mark.slow
def test_pages_load_only_what_is_in_the_site(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        here = [address for address in loads.addresses if not address.startswith(("data:", "#"))]
        assert not [address for address in here if re.match(r"([a-z]+:)?//", address)], page
        for address in here:
            path = address.partition("?")[0].partition("#")[0]
            found = site / path.lstrip("/") if path.startswith("/") else page.parent / path
            assert found.exists(), f"{page} loads {address}"


@pytest.mark.slow
def test_style_sheets_load_nothing_from_elsewhere(site: Path) -> None:
    sheets = list(site.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        assert not re.search(r"""(url\(|@import\s)\s*["']?(https?:)?//""", sheet.read_text()), sheet


@pytest.mark.slow
def test_the_http_reference_has_every_operation_and_every_problem(site: Path) -> None:
    page = (site / "http.html").read_text()
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}<" in page
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in page
    for problem in PROBLEMS.values():
        assert f'<span id="{problem.slug}"></span><code>{problem.type}</code>' in page
        assert problem.description.split("`")[0] in page


@pytest.mark.slow
def test_the_command_reference_has_the_commands(site: Path) -> None:
    page = (site / "command_line.html").read_text()
    for name in ("serve", "image", "classes", "info"):
        assert f"fcn-segment {name}</code>" in page
    for name in ("train", "evaluate", "export"):
        assert f"python -m training {name}</code>" in page
    assert "--resume" in page


@pytest.mark.slow
def test_the_walkthrough_shows_what_its_notebook_draws(site: Path) -> None:
    page = (site / "walkthrough.html").read_text()
    pictures = list((site / "walkthrough").glob("*.png"))
    assert len(pictures) == 8
    assert all(f'src="walkthrough/{picture.name}"' in page for picture in pictures)


def test_links_out_of_the_docs_lead_into_the_site() -> None:
    source = ROOT / "docs" / "model_card.md"
    assert rewrite("[r](../training/recipes/cpu.toml) [l](log.md#a)", source) == (
        "[r](repository/training/recipes/cpu.toml) [l](log.md#a)"
    )
    assert rewrite("[b](docs/benchmarks.md)", ROOT / "README.md") == "[b](../benchmarks.md)"
    linked = linked_files([ROOT / "docs" / "masks.md"])
    assert linked["repository/examples/coco.py"] == ROOT / "examples" / "coco.py"
