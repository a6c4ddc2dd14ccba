"""``python -m training export``."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter

from model.checkpoint import Checkpoint, Summary
from model.precision import Precision
from model.weight_compression import StorageDtype
from training.data.dataset import VocDataset
from training.data.image_file import read_image
from training.errors import DatasetError, ExportError
from training.export.export import export as export_checkpoint
from training.export.model_card import write_card
from training.export.onnx_export import export_onnx, require_onnx
from training.export.score_sheet import ScoreSheet
from training.progress import track


def export(
    weights: Annotated[Path, typer.Argument(help="Checkpoint of a training run, or an exported one.")],
    out: Annotated[Path, typer.Argument(help="Checkpoint to write, for the service.")],
    golden: Annotated[Path, typer.Option(help="Photograph whose mask is stored and verified at each start.")],
    summary: Annotated[
        Path | None,
        typer.Option(help="JSON: name, trained_on, licenses; scores (name -> 0..1) override those of --scores."),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(help="JSON that evaluate wrote for WEIGHTS; give one per list and precision."),
    ] = None,
    card: Annotated[Path | None, typer.Option(dir_okay=False, help="Model card to write, Markdown; see above.")] = None,
    onnx: Annotated[Path | None, typer.Option(dir_okay=False, help="ONNX file to write; see above.")] = None,
    storage_dtype: Annotated[
        StorageDtype,
        typer.Option(
            "--weights", help="Data type of kernels in OUT. int8: 3x3 ones of 2^20 numbers or more, others float16."
        ),
    ] = StorageDtype.FLOAT16,
    calibrate: Annotated[
        Path | None, typer.Option(file_okay=False, help="Data set in VOC layout to measure ranges on; see above.")
    ] = None,
    calibrate_split: Annotated[
        str, typer.Option(help="List to calibrate on, ImageSets/Segmentation/SPLIT.txt.")
    ] = "trainaug",
    calibrate_count: Annotated[
        int, typer.Option(min=1, help="Number of images to calibrate on, spread evenly over the list.")
    ] = 100,
) -> None:
    """Make the checkpoint that the service loads; optionally its model card and ONNX.

    OUT holds the rounded weights and everything needed to use them, the golden
    photograph with the mask they predict, and their origin and scores. For
    scores of the rounded weights, evaluate OUT and export it again with them:
    rounding again changes nothing. Scores in float32, bfloat16 and int8 on the
    same lists let the service choose (FCN_PRECISION=auto); precisions without
    scores are never chosen.

    An existing card keeps its text; only the tables between the lines
    <!-- scores --> and <!-- /scores -->, <!-- classes --> and <!-- /classes -->
    are replaced.

    ONNX, float32, needs the extra onnx. Input image: (batch, 3, height, width)
    uint8 RGB of any batch, height and width; it is padded and normalised
    inside. Output logits: (batch, classes, height, width) float32; the greatest
    wins. Metadata: name, sha256 (of OUT), classes (JSON: index, name, color),
    licenses. The file is run in onnxruntime on several sizes, compared with
    PyTorch, and discarded unless the results are equal except for rounding.

    To predict in int8 (FCN_PRECISION=int8), the service needs the ranges of
    the network's activations: --calibrate measures them on images similar to
    those to be predicted; masks are not needed. Without --calibrate, OUT keeps
    the ranges of WEIGHTS, if any. --weights int8 is independent of this: it
    reduces the size of OUT.

    For example:

      python -m training export last.safetensors served.safetensors
          --golden cat.jpg --weights int8 --calibrate data/voc2012
      python -m training evaluate served.safetensors data/voc2012 --json scores.json
      python -m training export served.safetensors served.safetensors
          --golden cat.jpg --weights int8 --scores scores.json --card card.md
          --onnx served.onnx
    """
    if onnx is not None:
        require_onnx()
    checkpoint = Checkpoint.load(weights)
    sheets = _read_scores(scores or [], checkpoint)
    described = _describe(checkpoint.summary, summary, sheets)
    images = None if calibrate is None else _calibration_images(calibrate, calibrate_split, calibrate_count)
    export_checkpoint(
        replace(checkpoint, storage_dtype=storage_dtype), _read_photograph(golden), described, out, images
    )
    print(f"{out}: {_megabytes(out)}, {storage_dtype}")
    exported = Checkpoint.load(out)
    if card is not None:
        write_card(card, exported, [sheet for sheet in sheets if sheet.precision is Precision.FLOAT32])
        print(card)
    if onnx is not None:
        equality = export_onnx(exported, onnx)
        print(
            f"{onnx}: {_megabytes(onnx)}, equal to PyTorch within {equality.difference:.1e} (logits up to "
            f"{equality.largest:.1f}); {equality.differing} of {equality.pixels:,} pixels differ"
        )


def _calibration_images(data: Path, split: str, count: int) -> Iterator[NDArray[np.uint8]]:
    dataset = VocDataset(data, split, labelled=False)
    indices = dataset.spread(count)
    return (dataset[index].image for index in track(indices, "calibrating", len(indices)))


def _read_scores(files: list[Path], checkpoint: Checkpoint) -> list[ScoreSheet]:
    sheets: dict[str, ScoreSheet] = {}
    for file in files:
        sheet = ScoreSheet.read(file)
        if sheet.checkpoint not in ("", checkpoint.digest):
            raise ExportError(f"{file} has scores of another checkpoint, SHA-256 {sheet.checkpoint}")
        if sheet.title in sheets:
            raise ExportError(f"{file} is the second one with scores on {sheet.title}")
        sheets[sheet.title] = sheet
    return list(sheets.values())


def _describe(summary: Summary, file: Path | None, sheets: list[ScoreSheet]) -> Summary:
    plain = [sheet for sheet in sheets if sheet.precision is Precision.FLOAT32 or not sheet.compares_precisions]
    measured = {name: score for sheet in plain for name, score in sheet.measures().items()}
    by_precision = _precision_scores(sheets) or summary.precision_scores
    try:
        given: dict[str, Any] = {} if file is None else json.loads(file.read_text())
        described = replace(
            summary, **{"scores": measured or summary.scores, "precision_scores": by_precision, **given}
        )
        return TypeAdapter(Summary).validate_python(asdict(described))
    except (OSError, ValueError, TypeError) as error:
        raise typer.BadParameter(f"{file} is not a summary: {error}") from error


def _precision_scores(sheets: list[ScoreSheet]) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    first: dict[str, ScoreSheet] = {}
    for sheet in sheets:
        if sheet.compares_precisions and sheet.miou is not None:
            other = first.setdefault(sheet.split, sheet)
            if (sheet.images, sheet.chosen) != (other.images, other.chosen):
                raise ExportError(
                    f"scores on {sheet.split} in {other.precision} and in {sheet.precision} are of different images or "
                    "classes and cannot be compared"
                )
            scores.setdefault(sheet.precision, {})[sheet.split] = sheet.miou
    return scores


def _read_photograph(file: Path) -> NDArray[np.uint8]:
    try:
        return read_image(file)
    except DatasetError as error:
        raise typer.BadParameter(f"{file} is not a photograph: {error}") from error


def _megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"
