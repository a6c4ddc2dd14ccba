"""The model card: what the weights are, where they come from and how good they are, in Markdown.

Tables are placed between markers, ``<!-- scores -->`` and ``<!-- classes -->``, so that they can be updated in a card
that has been edited by hand without losing its text.
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from model.checkpoint import Checkpoint
from model.networks import FCN
from model.weight_compression import StorageDtype
from training.errors import ExportError
from training.export.score_sheet import ScoreSheet

_STORED = {
    StorageDtype.FLOAT16: "kernels stored as float16",
    StorageDtype.INT8: "large kernels stored as int8, the others as float16",
}
_WEAK_IOU = 0.4
_FEW_IMAGES = 10
_WIDTH = 120


def write_card(path: Path, checkpoint: Checkpoint, sheets: Sequence[ScoreSheet]) -> None:
    """Write a card, or update the tables of an existing one.

    Args:
        path: Markdown file.
        checkpoint: checkpoint to describe.
        sheets: scores on each list; without any, an existing card keeps its table of classes.

    Raises:
        ExportError: the file exists and has no markers.
    """
    if not path.exists():
        path.write_text(model_card(checkpoint, sheets))
        return
    tables = {"scores": scores_table(checkpoint.summary.scores)}
    card = path.read_text()
    if checkpoint.summary.precision_scores and "<!-- precisions -->" in card:
        tables["precisions"] = precisions_table(checkpoint.summary.precision_scores)
    if sheets:
        tables["classes"] = classes_table(sheets)
    try:
        path.write_text(with_tables(card, tables))
    except ValueError as error:
        raise ExportError(f"{path} exists already, but {error}") from error


def with_tables(card: str, tables: Mapping[str, str]) -> str:
    """Replace the tables between a text's markers.

    Raises:
        ValueError: a pair of markers is missing.
    """
    for name, table in tables.items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if opening not in card or closing not in card.split(opening, 1)[1]:
            raise ValueError(f"has no {opening.strip()} with a {closing} below it")
        before, rest = card.split(opening, 1)
        card = before + opening + table + closing + rest.split(closing, 1)[1]
    return card


def scores_table(scores: Mapping[str, float]) -> str:
    """Format scores, name of a metric -> value in 0..1, as a table."""
    return _table(["measure", "score"], [[name, f"{score:.3f}"] for name, score in scores.items()])


def precisions_table(scores: Mapping[str, Mapping[str, float]]) -> str:
    """Format precision -> list of images -> mIoU as a table with a column for each precision."""
    names = list(dict.fromkeys(name for found in scores.values() for name in found))
    rows = [[name, *(_decimals(found.get(name)) for found in scores.values())] for name in names]
    return _table(["mIoU", *scores], rows)


def classes_table(sheets: Sequence[ScoreSheet]) -> str:
    """Format each class's IoU on each list, with its numbers of images and pixels, as a table.

    Raises:
        ExportError: the lists were scored for different classes.
    """
    heads, columns = ["class"], [[row.name for row in sheets[0].classes]]
    for sheet in sheets:
        if [row.name for row in sheet.classes] != columns[0]:
            raise ExportError(f"{sheet.title} was scored for other classes than {sheets[0].title}")
        others = list(sheet.classes[0].other_ious)
        heads += [f"IoU, {sheet.title}", *others, "images", "pixels"]
        columns.append([_score(row.iou) for row in sheet.classes])
        columns += [[_score(row.other_ious.get(name)) for row in sheet.classes] for name in others]
        columns.append([f"{row.images:,}" for row in sheet.classes])
        columns.append([f"{row.pixels:,}" for row in sheet.classes])
    return _table(heads, list(zip(*columns, strict=True)))


def model_card(checkpoint: Checkpoint, sheets: Sequence[ScoreSheet]) -> str:
    """Write a whole card from a checkpoint and its scores.

    Raises:
        ExportError: the lists were scored for different classes.
    """
    network, summary = checkpoint.build(), checkpoint.summary
    paragraphs = [
        f"# Model card: {summary.name}",
        f"**What it is.** {_what(checkpoint, network)}",
        f"**Classes.** {', '.join(checkpoint.labels.names)}.",
        f"**Data.** {summary.trained_on or 'Not specified.'}",
        f"**Training.** {_settings(summary.training) or 'Not specified.'}",
        f"**Licences.** {summary.licenses or 'Not specified.'}",
        "## Scores",
        _how_measured(sheets),
        f"<!-- scores -->\n{scores_table(summary.scores)}<!-- /scores -->",
    ]
    if summary.precision_scores:
        paragraphs.append(f"<!-- precisions -->\n{precisions_table(summary.precision_scores)}<!-- /precisions -->")
    if sheets:
        paragraphs.append(f"<!-- classes -->\n{classes_table(sheets)}<!-- /classes -->")
    paragraphs += ["## Limits", _limits(network, sheets)]
    return "\n\n".join(_wrapped(paragraph) for paragraph in paragraphs) + "\n"


def _what(checkpoint: Checkpoint, network: FCN) -> str:
    config = checkpoint.config
    name = f"FCN-{network.stride}s (Long, Shelhamer, Darrell 2015)"
    backbone = f"a ResNet with {', '.join(map(str, config.blocks))} basic blocks, {config.width} channels in the first"
    kernels = "learned" if config.learned_upsampling else "bilinear"
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    stored = f"{millions:.1f} M parameters, {_STORED[checkpoint.storage_dtype]}"
    file = f" SHA-256 of the file: `{checkpoint.digest}`." if checkpoint.digest else ""
    return f"{name} on {backbone}; {kernels} upsampling. {stored}.{file}"


def _settings(training: Mapping[str, object]) -> str:
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in training.items())
    return f"{settings}." if settings else ""


def _how_measured(sheets: Sequence[ScoreSheet]) -> str:
    if not sheets:
        return "As given at export."
    sentences = ["At original resolution, one confusion matrix per list, background included, void excluded."]
    for sheet in sheets:
        present = sum(row.images > 0 for row in sheet.classes)
        sentences.append(f"`{sheet.title}`: {sheet.images:,} images, {present} of the classes are in them.")
    sentences.append("Means are over the classes in a list's true masks.")
    chosen = {
        f"mIoU-{len(sheet.chosen)} is the mean over {', '.join(sheet.chosen)}." for sheet in sheets if sheet.chosen
    }
    return " ".join([*sentences, *sorted(chosen)])


def _limits(network: FCN, sheets: Sequence[ScoreSheet]) -> str:
    sentences = [
        f"Objects much thinner than a score cell of {network.stride} x {network.stride} pixels are lost.",
        "Every pixel is assigned one of the classes above, whatever it shows.",
    ]
    rows = [row for sheet in sheets for row in sheet.classes]
    names = list(dict.fromkeys(row.name for row in rows))
    most_images = {name: max(row.images for row in rows if row.name == name) for name in names}
    weak = {row.name for row in rows if row.images and row.iou is not None and row.iou < _WEAK_IOU}
    few = [name for name in names if most_images[name] < _FEW_IMAGES]
    if weak:
        listed = ", ".join(name for name in names if name in weak)
        sentences.append(f"Weak classes, with an IoU below {_WEAK_IOU} on some list: {listed}.")
    if few:
        sentences.append(f"Uncertain scores, from fewer than {_FEW_IMAGES} images on every list: {', '.join(few)}.")
    return " ".join(sentences)


def _wrapped(paragraph: str) -> str:
    """Wrap prose to a readable width; leave tables and headings unchanged."""
    if paragraph.startswith(("#", "<!--")):
        return paragraph
    return textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _decimals(value: float | None) -> str:
    """Format with four digits, because precisions differ in the fourth."""
    return "-" if value is None else f"{value:.4f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)
