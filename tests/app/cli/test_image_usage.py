import sys
import time
from pathlib import Path

import pytest

from tests.app.cli.command import ROOT, files_below, report_of, run


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["photos"], "Missing option"),
        (["photos", "-o", "photos"], "would lie among the images"),
        (["photos", "-o", "-"], "result of one image"),
        (["photos/cat.png", "-o", "photos"], "overwrite the image"),
        (["photos/cat.jpg", "-o", "mask.png", "--format", "json"], "does not fit --format json"),
        (["photos", "-o", "photos/cat.jpg"], "is a file"),
        (["photos", "-o", "masks", "--table", "shares.xlsx"], ".csv or .parquet"),
        (["photos/cat.jpg", "-o", "-", "--json"], "standard output is either"),
        (["photos", "-o", "masks", "--format", "jpeg"], "jpeg"),
        (["photos", "-o", "masks", "--url", "nonsense"], "nonsense"),
        (["photos", "-o", "masks", "--url", "http://localhost:1", "--device", "cpu"], "--device is for computing here"),
        (["photos", "-o", "masks", "--key-file", "photos/notes.txt"], "--key-file is for the service"),
    ],
)
def test_wrong_usage_is_said_and_nothing_is_written(folder: Path, arguments: list[str], complaint: str) -> None:
    before = files_below(folder)
    result = run("image", *arguments, cwd=folder)
    assert result.returncode == 2
    assert complaint in " ".join(result.stderr.decode().replace("│", " ").split())
    assert result.stdout == b""
    assert files_below(folder) == before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--weights", "nowhere.safetensors"], "there is no weights file nowhere.safetensors"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
        (["--url", "http://127.0.0.1:9"], "the service does not respond"),
    ],
)
def test_what_cannot_start_ends_with_code_3_and_a_sentence(folder: Path, arguments: list[str], complaint: str) -> None:
    started = time.monotonic()
    result = run("image", "photos", "-o", "masks", *arguments, cwd=folder)
    assert result.returncode == 3
    (line,) = result.stderr.decode().splitlines()
    assert line.startswith("error: ")
    assert complaint in line
    assert not (folder / "masks").exists()
    assert time.monotonic() - started < 60


def test_without_pyarrow_a_parquet_table_is_refused_before_the_work(folder: Path) -> None:
    blocked = "import sys; sys.modules['pyarrow'] = None; sys.argv[0] = 'fcn-segment'; "
    script = blocked + "from app.cli.main import main; main()"
    command = (sys.executable, "-c", script)
    result = run("image", "photos", "-o", "masks", "--table", "shares.parquet", cwd=folder, command=command)
    assert result.returncode == 3
    assert b"pip install 'fcn-segmentation[table]', or take shares.csv" in result.stderr
    assert not (folder / "masks").exists()


def test_limits_come_from_the_environment_and_options_beat_it(folder: Path) -> None:
    result = run("image", "photos/cat.jpg", "-o", "out", cwd=folder, FCN_MAX_PIXELS="1000")
    assert result.returncode == 1
    assert b"451 x 300 = 135300 pixels; 1000 are allowed" in result.stderr
    assert run("classes", "--json", cwd=folder, FCN_WEIGHTS="nowhere").returncode == 3
    shipped = ROOT / "model/weights/voc.safetensors"
    assert run("classes", "--json", "--weights", shipped, cwd=folder, FCN_WEIGHTS="nowhere").returncode == 0


def test_a_file_that_is_not_there_fails_and_the_others_are_done(folder: Path) -> None:
    result = run("image", "photos/cat.jpg", "photos/no.jpg", "-o", "out", "--json", cwd=folder)
    assert result.returncode == 1
    report = report_of(result)
    assert report["failed"] == [
        {"file": "photos/no.jpg", "reason": "the file cannot be read: No such file or directory"}
    ]
    assert [done["output"] for done in report["done"]] == ["out/cat.png"]
