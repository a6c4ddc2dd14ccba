"""``fcn-segment ... --url``, against the real service."""

import csv
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.waiting import wait_until
from tests.app.cli.command import SCRIPT, report_of, run, start
from tests.app.server_process import ServerProcess

_WITHOUT_TORCH = f"import sys; sys.modules['torch'] = None; {SCRIPT}"


def test_a_service_gives_the_answers_that_this_process_gives_without_pytorch(
    server: ServerProcess, folder: Path
) -> None:
    arguments = ("image", "photos", "--json", "--table")
    command = (sys.executable, "-c", _WITHOUT_TORCH)
    remote = run(*arguments, "remote.csv", "-o", "remote", "--url", server.url, cwd=folder, command=command)
    here = run(*arguments, "here.csv", "-o", "here", cwd=folder)
    assert remote.returncode == here.returncode == 1
    told, expected = report_of(remote), report_of(here)
    for report in (told, expected):
        for done in report["done"]:
            del done["seconds"], done["output"]
        del report["seconds"]
    assert told == expected
    assert (folder / "remote.csv").read_bytes() == (folder / "here.csv").read_bytes()
    for path in (folder / "here").rglob("*.png"):
        with Image.open(path) as ours, Image.open(folder / "remote" / path.relative_to(folder / "here")) as theirs:
            assert np.array_equal(np.array(ours), np.array(theirs))


def test_other_formats_pass_through_the_service_and_the_table_is_complete(server: ServerProcess, folder: Path) -> None:
    photograph = (folder / "photos/cat.jpg").read_bytes()
    extra = ("--format", "confidence", "--table", "shares.csv", "--url", server.url)
    assert run("image", "-", "-o", "out", *extra, cwd=folder, input=photograph).returncode == 0
    with Image.open(folder / "out/stdin.confidence.png") as picture:
        assert (picture.mode, picture.size) == ("L", (451, 300))
    with (folder / "shares.csv").open(newline="") as file:
        assert [(row["file"], row["class_name"]) for row in csv.DictReader(file)] == [("-", "background"), ("-", "cat")]
    sent = run("image", "-", "-o", "-", "--format", "json", "--url", server.url, cwd=folder, input=photograph)
    with server.client() as client:
        assert json.loads(sent.stdout) == client.post("/segment?format=json", content=photograph).json()


def test_classes_and_info_are_what_the_service_says_and_what_its_weights_say_here(
    server: ServerProcess, tmp_path: Path
) -> None:
    with server.client() as client:
        classes, model = client.get("/classes").json(), client.get("/model").json()
    command = (sys.executable, "-c", _WITHOUT_TORCH)
    url = ("--url", server.url)
    assert report_of(run("classes", "--json", *url, cwd=tmp_path, command=command)) == classes
    assert report_of(run("info", "--json", *url, cwd=tmp_path, command=command)) == {**model, **classes}
    assert report_of(run("classes", "--json", cwd=tmp_path)) == classes
    assert report_of(run("info", "--json", cwd=tmp_path)) == {**model, **classes}


@pytest.mark.slow
def test_a_key_is_needed_where_one_is_and_a_service_that_goes_ends_the_run_with_code_3(
    start_server: Callable[..., ServerProcess], folder: Path, large: Path
) -> None:
    keys = folder / "keys"
    keys.write_text(f"camera {hashlib.sha256(b'camera-key').hexdigest()} segment\n")
    (folder / "key").write_text("camera-key\n")
    server = start_server(api_keys_file=keys)
    refused = run("classes", "--url", server.url, cwd=folder)
    assert refused.returncode == 3
    assert b"error: the service refused the request: " in refused.stderr
    assert run("classes", "--url", server.url, cwd=folder, FCN_KEY="camera-key").returncode == 0

    (folder / "photos/broken.jpg").unlink()
    large.rename(folder / "photos/inner/zebra.jpg")
    arguments = ("image", "photos", "-o", "out", "--jobs", 1, "--json", "--key-file", "key", "--url", server.url)
    process = start(*arguments, cwd=folder)
    wait_until((folder / "out/inner/cat.png").exists, timeout_s=120)
    server.process.kill()
    output, errors = process.communicate(timeout=120)
    report = json.loads(output)
    assert process.returncode == 3
    assert "the service no longer responds" in report["error"]
    assert report["remaining"] == 1
    assert len(report["done"]) == 4
    assert b"1 of 5 are left; the same command continues with them" in errors
    assert not list((folder / "out").rglob("*.part"))
