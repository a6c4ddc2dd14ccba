import re
from dataclasses import replace
from pathlib import Path

import pytest

from model.checkpoint import Checkpoint, Summary
from model.networks import Architecture
from model.weight_compression import StorageDtype
from tests.model.random_checkpoint import random_checkpoint
from tests.training.evaluation_file import write_evaluation
from training.errors import ExportError
from training.export.model_card import classes_table, model_card, scores_table, with_tables, write_card
from training.export.score_sheet import ScoreSheet

NAMES = ("class 0", "class 1", "class 2", "class 3")
SCORES = {"made/val mIoU": 0.5, "made/val pixel accuracy": 0.87654}
CARD = Path(__file__).parents[3] / "docs" / "model_card.md"


@pytest.fixture
def sheet(tmp_path: Path) -> ScoreSheet:
    return ScoreSheet.read(write_evaluation(tmp_path / "made.json", NAMES))


@pytest.fixture
def other(tmp_path: Path) -> ScoreSheet:
    rows = [{"name": name, "iou": None, "accuracy": None, "images": 0, "pixels": 1234567} for name in NAMES]
    return ScoreSheet.read(write_evaluation(tmp_path / "other.json", NAMES, split="other/val", classes=rows))


@pytest.fixture
def checkpoint() -> Checkpoint:
    summary = Summary("trial", "made (7 images)", {"learning_rate": 0.1, "steps": 3}, SCORES, "MIT")
    network = random_checkpoint(Architecture.FCN8S, learned_upsampling=True)
    return replace(network, summary=summary, digest="abc123", storage_dtype=StorageDtype.INT8)


def test_the_table_of_scores_has_three_decimals() -> None:
    assert scores_table(SCORES) == (
        "| measure | score |\n| --- | --- |\n| made/val mIoU | 0.500 |\n| made/val pixel accuracy | 0.877 |\n"
    )


def test_the_table_of_classes_has_each_list_beside_the_other(sheet: ScoreSheet, other: ScoreSheet) -> None:
    assert classes_table([sheet, other]).splitlines() == [
        "| class | IoU, made/val | boundary IoU | images | pixels | IoU, other/val | images | pixels |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| class 0 | 0.000 | 0.000 | 0 | 0 | - | 0 | 1,234,567 |",
        "| class 1 | 0.125 | 0.062 | 6 | 1,000 | - | 0 | 1,234,567 |",
        "| class 2 | 0.250 | 0.125 | 12 | 2,000 | - | 0 | 1,234,567 |",
        "| class 3 | 0.375 | 0.188 | 18 | 3,000 | - | 0 | 1,234,567 |",
    ]


def test_a_bar_in_a_name_does_not_end_its_cell() -> None:
    assert r"| a\|b | 0.500 |" in scores_table({"a|b": 0.5})


def test_lists_of_other_classes_are_refused(sheet: ScoreSheet, tmp_path: Path) -> None:
    foreign = ScoreSheet.read(write_evaluation(tmp_path / "foreign.json", ["a", "b"], split="foreign/val"))
    with pytest.raises(ExportError, match="foreign/val was scored for other classes than made/val"):
        classes_table([sheet, foreign])


def test_a_card_says_what_the_checkpoint_says(checkpoint: Checkpoint, sheet: ScoreSheet) -> None:
    card = model_card(checkpoint, [sheet])
    words = " ".join(card.split())
    for said in (
        "# Model card: trial",
        "FCN-8s (Long, Shelhamer, Darrell 2015) on a ResNet with 1, 1, 1, 1 basic blocks, 4 channels in the first",
        "learned upsampling",
        "large kernels stored as int8, the others as float16",
        "SHA-256 of the file: `abc123`",
        "class 0, class 1, class 2, class 3.",
        "**Data.** made (7 images)",
        "**Training.** learning rate 0.1, steps 3.",
        "**Licences.** MIT",
        "`made/val`: 9 images, 3 of the classes are in them.",
        "score cell of 8 x 8 pixels",
        "an IoU below 0.4 on some list: class 1, class 2, class 3.",
        "fewer than 10 images on every list: class 0, class 1.",
    ):
        assert said in words
    assert f"<!-- scores -->\n{scores_table(SCORES)}<!-- /scores -->" in card
    assert f"<!-- classes -->\n{classes_table([sheet])}<!-- /classes -->" in card
    assert all(len(line) <= 120 for line in card.splitlines() if not line.startswith("|"))


def test_a_card_without_evaluations_tells_of_no_classes_and_no_measuring(checkpoint: Checkpoint) -> None:
    card = model_card(replace(checkpoint, summary=Summary()), [])
    assert "<!-- classes -->" not in card
    assert "confusion matrix" not in card
    assert "Weak" not in card
    assert card.count("Not specified.") == 3


def test_chosen_classes_are_named(checkpoint: Checkpoint, tmp_path: Path) -> None:
    file = write_evaluation(tmp_path / "a.json", NAMES, chosen=["class 1", "class 3"], miou_chosen=0.5)
    assert "mIoU-2 is the mean over class 1, class 3." in model_card(checkpoint, [ScoreSheet.read(file)])


def test_a_card_that_is_there_keeps_its_words(checkpoint: Checkpoint, sheet: ScoreSheet, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text(
        "Mine.\n<!-- scores -->\nold\n<!-- /scores -->\nAnd.\n<!-- classes -->\nold\n<!-- /classes -->\nEnd.\n"
    )
    write_card(card, checkpoint, [sheet])
    scores, classes = scores_table(SCORES), classes_table([sheet])
    assert card.read_text() == (
        f"Mine.\n<!-- scores -->\n{scores}<!-- /scores -->\nAnd.\n<!-- classes -->\n{classes}<!-- /classes -->\nEnd.\n"
    )


def test_a_card_keeps_its_table_of_classes_where_no_evaluation_is_given(checkpoint: Checkpoint, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("<!-- scores -->\nold\n<!-- /scores -->\n<!-- classes -->\nolder\n<!-- /classes -->\n")
    write_card(card, checkpoint, [])
    assert "\nold\n" not in card.read_text()
    assert "\nolder\n" in card.read_text()


@pytest.mark.parametrize("text", ["Something else.\n", "<!-- scores -->\n", "<!-- /scores -->\n<!-- scores -->\n"])
def test_a_file_without_places_for_tables_is_left_alone(checkpoint: Checkpoint, tmp_path: Path, text: str) -> None:
    (tmp_path / "other.md").write_text(text)
    with pytest.raises(ExportError, match=r"other\.md exists already, but has no <!-- scores --> with a <!-- /scores"):
        write_card(tmp_path / "other.md", checkpoint, [])
    assert (tmp_path / "other.md").read_text() == text


def test_a_new_card_can_be_brought_up_to_date(checkpoint: Checkpoint, sheet: ScoreSheet, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    write_card(card, checkpoint, [sheet])
    assert card.read_text() == model_card(checkpoint, [sheet])
    write_card(card, replace(checkpoint, summary=Summary(scores={"fresh": 0.5})), [sheet])
    assert "| fresh | 0.500 |" in card.read_text()
    assert "made/val mIoU" not in card.read_text()


def test_the_projects_own_card_has_places_for_both_tables() -> None:
    card = with_tables(CARD.read_text(), {"scores": "S\n", "classes": "C\n"})
    assert re.findall(r"<!-- (\w+) -->\n(\w)\n<!-- /\1 -->", card) == [("scores", "S"), ("classes", "C")]
