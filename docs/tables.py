"""Tables of pages generated from the code: ``python -m docs.tables`` writes them, ``tests/docs`` compares them.

A page marks the place of a table by ``<!-- NAME -->`` and ``<!-- /NAME -->``.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from app.observability.metrics import Metrics
from app.problems import PROBLEMS
from app.settings import Settings
from docs.image_tables import refused_formats, tiff_compressions, tiff_samples
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from training.export.model_card import scores_table

ROOT = Path(__file__).parents[1]


def settings() -> str:
    """Table of the service's environment variables."""
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        special = {DEFAULT_WEIGHTS: "the weights that ship", None: "none", (): "none", "": "none"}
        default = special.get(field.default, f"`{field.default}`")
        rows.append(f"| `FCN_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def metrics() -> str:
    """Table of the service's own metrics."""
    rows = ["| metric | labels | what |", "| --- | --- | --- |"]
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            name = f"{metric._name}_total" if metric._type == "counter" else metric._name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            rows.append(f"| `{name}` | {labels} | {metric._documentation} |")
    return "\n".join(rows) + "\n"


def problems() -> str:
    """Table of the problems that a response may have, by status."""
    rows = ["| status | `type` | title | what |", "| --- | --- | --- | --- |"]
    for kind in sorted(PROBLEMS.values(), key=lambda kind: kind.status):
        # The operations of the HTTP reference link to this anchor.
        name = f'<span id="{kind.slug}"></span>`{kind.type}`'
        rows.append(f"| {kind.status} | {name} | {kind.title} | {kind.description} |")
    return "\n".join(rows) + "\n"


def scores() -> str:
    """Table of the scores recorded in the shipped weights."""
    return scores_table(Checkpoint.load(DEFAULT_WEIGHTS).summary.scores)


TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    ROOT / "README.md": {"scores": scores},
    ROOT / "docs/settings.md": {"settings": settings},
    ROOT / "docs/observability.md": {"metrics": metrics},
    ROOT / "docs/http.md": {"problems": problems},
    ROOT / "docs/images.md": {
        "refused formats": refused_formats,
        "tiff samples": tiff_samples,
        "tiff compressions": tiff_compressions,
    },
}


def filled(page: Path) -> str:
    """Text of a page with its tables up to date."""
    text = page.read_text()
    for name, made in TABLES[page].items():
        text, count = re.subn(rf"(<!-- {name} -->\n).*?(?=<!-- /{name} -->)", rf"\1{made()}", text, flags=re.DOTALL)
        assert count == 1, f"{page} has {count} places for {name}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        page.write_text(filled(page))
