import csv
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet
from typer import BadParameter

from app.cli.plan import make_plan
from app.cli.table import COLUMNS
from app.formats.mask import MaskEncoder
from app.formats.rle import decode_rle
from benchmarks.waiting import wait_until
from model.labels import VOC
from model.segmentation import NO_TIME, Segmentation
from model.segmenter import Segmenter
from tests.app.cli.command import ROOT, files_below, report_of, run, start

TARGETS = {
    "photos/cat.jpg": "masks/cat.jpg.png",
    "photos/cat.png": "masks/cat.png.png",
    "photos/inner/astronaut.jpg": "masks/inner/astronaut.png",
    "photos/inner/cat.jpg": "masks/inner/cat.png",
}


@pytest.fixture(scope="module")
def truth() -> dict[str, NDArray[np.uint8]]:
    """Masks that the network itself predicts for the photographs, by name."""
    segmenter = Segmenter.load(device="cpu")
    masks = {}
    for name in ("cat.jpg", "astronaut.jpg"):
        with Image.open(ROOT / "examples" / name) as picture:
            masks[name] = segmenter.segment(np.array(picture.convert("RGB"))).mask
    return masks


def mask_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return np.array(picture)


def shares_of(mask: NDArray[np.uint8]) -> list[tuple[int, str, int]]:
    counts = np.bincount(mask.ravel(), minlength=256)
    return [(index, VOC.names[index], int(counts[index])) for index in np.flatnonzero(counts).tolist()]


def test_a_folder_becomes_masks_and_a_bad_file_is_named_at_the_end(
    folder: Path, truth: dict[str, NDArray[np.uint8]]
) -> None:
    result = run("image", "photos", "-o", "masks", "--table", "shares.csv", "--json", cwd=folder)
    assert result.returncode == 1
    report = report_of(result)
    assert {done["file"]: done["output"] for done in report["done"]} == TARGETS
    (failure,) = report["failed"]
    assert failure["file"] == "photos/broken.jpg"
    assert "ends before its last row" in failure["reason"]
    assert b"failed: photos/broken.jpg: the JPEG image" in result.stderr
    assert report["skipped"] == []
    assert files_below(folder / "masks") == set(TARGETS.values())
    for source, target in TARGETS.items():
        expected = truth[Path(source).with_suffix(".jpg").name]
        assert (mask_of(folder / target) == expected).mean() > 0.995
        assert source.endswith(".png") or (mask_of(folder / target) == expected).all()
    with (folder / "shares.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert {row[0] for row in rows} == set(TARGETS)
    for source, target in TARGETS.items():
        mask = mask_of(folder / target)
        told = [row for row in rows if row[0] == source]
        assert [(int(row[3]), row[4], int(row[5])) for row in told] == shares_of(mask)
        assert {(int(row[2]), int(row[1])) for row in told} == {mask.shape}
        assert [float(row[6]) for row in told] == [int(row[5]) / mask.size for row in told]
        (done,) = [done for done in report["done"] if done["file"] == source]
        assert (done["height"], done["width"]) == mask.shape
        found = [(share["index"], share["name"], share["pixels"]) for share in done["classes"]]
        assert found == shares_of(mask)


def test_a_second_run_skips_what_is_done_and_its_table_is_complete_all_the_same(folder: Path) -> None:
    (folder / "photos/broken.jpg").unlink()
    (folder / "photos/inner/cat.jpg").rename(folder / "later.jpg")
    first = run("image", "photos", "-o", "masks", cwd=folder)
    assert first.returncode == 0
    assert first.stdout == b""
    assert b"3 done, 0 skipped, 0 failed" in first.stderr
    (folder / "later.jpg").rename(folder / "photos/inner/cat.jpg")
    made = {target: (folder / target).stat().st_mtime_ns for target in TARGETS.values() if "inner/cat" not in target}
    second = run("image", "photos", "-o", "masks", "--table", "deep/shares.csv", "--json", cwd=folder)
    assert second.returncode == 0
    report = report_of(second)
    assert [done["file"] for done in report["done"]] == ["photos/inner/cat.jpg"]
    assert [skipped["file"] for skipped in report["skipped"]] == sorted(set(TARGETS) - {"photos/inner/cat.jpg"})
    assert {target: (folder / target).stat().st_mtime_ns for target in made} == made
    with (folder / "deep/shares.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["file"] for row in rows)) == sorted(TARGETS)
    for source, target in TARGETS.items():
        told = [row for row in rows if row["file"] == source]
        found = [(int(row["class_index"]), row["class_name"], int(row["pixels"])) for row in told]
        assert found == shares_of(mask_of(folder / target))


def test_nothing_to_do_loads_no_weights_and_a_newer_image_is_done_again(folder: Path) -> None:
    (folder / "masks").mkdir()
    target = folder / "masks/cat.png"
    target.write_bytes(an_answer())
    arguments = ("image", "photos/cat.jpg", "-o", "masks", "--json")
    skipped = run(*arguments, "--weights", "nowhere", cwd=folder)
    assert skipped.returncode == 0
    assert report_of(skipped)["skipped"] == [{"file": "photos/cat.jpg", "output": "masks/cat.png"}]
    assert report_of(skipped)["checkpoint"] is None
    later = target.stat().st_mtime + 10
    os.utime(folder / "photos/cat.jpg", (later, later))
    assert report_of(run(*arguments, cwd=folder))["skipped"] == []
    assert mask_of(target).shape == (300, 451)


def an_answer() -> bytes:
    """A mask of some image, made with some weights."""
    return MaskEncoder(3, 4, VOC, "0" * 64).write(Segmentation(np.zeros((3, 4), np.uint8), VOC, NO_TIME))


@pytest.mark.parametrize("is_older", [False, True])
@pytest.mark.parametrize("table", [(), ("--table", "shares.csv")])
def test_what_lies_there_and_is_no_answer_is_neither_replaced_nor_counted(
    folder: Path, is_older: bool, table: tuple[str, ...]
) -> None:
    (folder / "masks").mkdir()
    foreign = folder / "masks/cat.png"
    with Image.open(folder / "photos/cat.jpg") as picture:
        picture.save(foreign)
    if is_older:
        os.utime(foreign, (1, 1))
    before = foreign.read_bytes()
    arguments = ("image", "photos/cat.jpg", "-o", "masks", *table, "--json")
    result = run(*arguments, cwd=folder)
    assert result.returncode == 1
    (failure,) = report_of(result)["failed"]
    assert "masks/cat.png exists and is not its result" in failure["reason"]
    assert foreign.read_bytes() == before
    assert run(*arguments, "--overwrite", cwd=folder).returncode == 0
    assert mask_of(foreign).shape == (300, 451)


def test_an_answer_of_other_weights_is_not_counted(folder: Path) -> None:
    (folder / "masks").mkdir()
    (folder / "masks/cat.png").write_bytes(an_answer())
    result = run("image", "photos/cat.jpg", "-o", "masks", "--table", "shares.csv", "--json", cwd=folder)
    (failure,) = report_of(result)["failed"]
    assert "masks/cat.png exists and was not made with these weights" in failure["reason"]


def test_a_second_picture_on_standard_input_is_not_taken_for_done(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/stdin.png").write_bytes(an_answer())
    plan = make_plan([Path("-")], folder / "out", "png", is_recursive=False).looked_up()
    assert plan.tasks == []
    assert "stdin.png exists and is not its result" in plan.failures[0].reason


def test_no_answer_takes_the_place_of_another_image(folder: Path) -> None:
    photographs = [folder / "photos" / name for name in ("x.jpg", "x.png", "x.jpg.png")]
    for photograph in photographs:
        photograph.write_bytes((folder / "photos/cat.jpg").read_bytes())
    with pytest.raises(BadParameter, match=r"the image .*x\.jpg\.png"):
        make_plan(photographs, folder / "photos", "png", is_recursive=False)


def test_a_file_that_ends_in_part_is_a_file_as_others(folder: Path) -> None:
    photograph = folder / "photos/cat.jpg"
    photograph.rename(folder / "mask.png.part")
    result = run("image", "mask.png.part", "-o", "mask.png", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert mask_of(folder / "mask.png").shape == (300, 451)
    with Image.open(folder / "mask.png.part") as picture:
        assert picture.format == "JPEG"


def unfinished(file: Path) -> list[Path]:
    """Unfinished files of a file that is being written."""
    return list(file.parent.glob(f".{file.name}.*.part"))


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_after_an_end_in_the_middle_the_same_command_goes_on(folder: Path, large: Path, number: signal.Signals) -> None:
    (folder / "photos/broken.jpg").unlink()
    large.rename(folder / "photos/inner/zebra.jpg")
    arguments = ("image", "photos", "-o", "masks", "--jobs", 1)
    process = start(*arguments, cwd=folder)
    wait_until(lambda: bool(unfinished(folder / "masks/inner/zebra.png")), timeout_s=120)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert set(TARGETS.values()) == {path for path in files_below(folder / "masks") if not path.endswith(".part")}
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert b"interrupted: 1 of 5 are left; the same command continues with them" in errors
        assert unfinished(folder / "masks/inner/zebra.png") == []
    else:
        assert process.returncode == -signal.SIGKILL
        assert len(unfinished(folder / "masks/inner/zebra.png")) == 1
    report = report_of(run(*arguments, "--json", cwd=folder))
    assert [done["file"] for done in report["done"]] == ["photos/inner/zebra.jpg"]
    assert len(report["skipped"]) == len(TARGETS)
    assert mask_of(folder / "masks/inner/zebra.png").shape == (1600, 2400)


def test_standard_input_becomes_standard_output_and_nothing_else_is_there(
    tmp_path: Path, truth: dict[str, NDArray[np.uint8]]
) -> None:
    photograph = (ROOT / "examples/cat.jpg").read_bytes()
    result = run("image", "-", "-o", "-", cwd=tmp_path, input=photograph)
    assert result.returncode == 0
    (tmp_path / "mask.png").write_bytes(result.stdout)
    assert (mask_of(tmp_path / "mask.png") == truth["cat.jpg"]).all()
    share = f"{(truth['cat.jpg'] == 8).mean():.1%}"
    assert f"451 x 300 pixels, cat {share}, background " in result.stderr.decode()


def test_a_bad_image_leaves_standard_output_empty(tmp_path: Path) -> None:
    result = run("image", "-", "-o", "-", cwd=tmp_path, input=b"%PDF-1.4 no image")
    assert (result.returncode, result.stdout) == (1, b"")
    assert b"failed: -: the file is a PDF document" in result.stderr


def test_a_reader_of_standard_output_that_goes_away_is_a_failure_and_no_crash(tmp_path: Path) -> None:
    process = start("image", ROOT / "examples/astronaut.jpg", "-o", "-", "--format", "overlay", cwd=tmp_path)
    assert process.stdout is not None
    assert process.stdout.read(8) == b"\x89PNG\r\n\x1a\n"
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"standard output cannot be written: Broken pipe" in errors
    assert b"Traceback" not in errors


def test_every_format_has_a_name_of_its_own_and_what_the_service_would_say(
    folder: Path, truth: dict[str, NDArray[np.uint8]]
) -> None:
    source = folder / "photos/cat.jpg"
    for form in ("json", "overlay", "confidence"):
        extra = ("--mask", "rle", "--tiling", "exact") if form == "json" else ("--alpha", "1")
        assert run("image", source, "-o", "out", "--format", form, *extra, cwd=folder).returncode == 0
    assert files_below(folder / "out") == {"out/cat.json", "out/cat.overlay.png", "out/cat.confidence.png"}
    document = json.loads((folder / "out/cat.json").read_bytes())
    (cat,) = [mask for mask in document["mask"] if mask["index"] == 8]
    assert (decode_rle(cat["counts"], *cat["size"]) == (truth["cat.jpg"] == 8)).mean() > 0.999
    with Image.open(folder / "out/cat.overlay.png") as picture:
        assert (np.array(picture)[truth["cat.jpg"] == 8] == VOC.colors[8]).all()
    with Image.open(folder / "out/cat.confidence.png") as picture:
        assert picture.mode == "L"
        assert np.array(picture).mean() > 128


def test_a_table_of_overlays_is_complete_although_overlays_do_not_tell(folder: Path) -> None:
    arguments = ("image", "photos/cat.jpg", "-o", "out", "--format", "overlay", "--json")
    assert len(report_of(run(*arguments, cwd=folder))["done"]) == 1
    assert len(report_of(run(*arguments, cwd=folder))["skipped"]) == 1
    again = report_of(run(*arguments, "--table", "shares.csv", cwd=folder))
    assert len(again["done"]) == 1
    with (folder / "shares.csv").open(newline="") as file:
        assert [row["class_name"] for row in csv.DictReader(file)] == ["background", "cat"]


def test_one_image_may_be_written_to_a_file_that_is_named(folder: Path) -> None:
    for _ in range(2):
        result = run("image", "photos/cat.jpg", "-o", "new/mask.png", "--json", cwd=folder)
        assert [done["output"] for done in report_of(result)["done"]] == ["new/mask.png"]
    assert mask_of(folder / "new/mask.png").shape == (300, 451)


def test_a_parquet_table_holds_what_the_masks_hold(folder: Path) -> None:
    assert run("image", "photos", "-o", "masks", "--table", "shares.parquet", cwd=folder).returncode == 1
    table = parquet.read_table(folder / "shares.parquet")
    assert tuple(table.column_names) == COLUMNS
    rows = table.to_pylist()
    for source, target in TARGETS.items():
        mask = mask_of(folder / target)
        told = [row for row in rows if row["file"] == source]
        assert [(row["class_index"], row["class_name"], row["pixels"]) for row in told] == shares_of(mask)
        assert {(row["height"], row["width"]) for row in told} == {mask.shape}
