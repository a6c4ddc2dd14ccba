"""The batch job on Ray Data, with 2,000 real crops of photographs and some broken files."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from benchmarks.waiting import wait_until
from deploy.ray.tries import Tries
from tests.ecosystem.ray_cluster import ENVIRONMENT, ROOT
from tests.ecosystem.ray_photographs import write_broken, write_pieces

NUMBER = 2000
_MARK = "FCN_TEST_RUN"

_PROGRESS_S = 900
"""Timeout in seconds of a run's next step; on a slow or busy CPU, bands take many times longer."""


@dataclass
class Folder:
    """Images, and the folder of their masks."""

    images: Path
    output: Path
    whole: list[Path]
    broken: list[Path]
    report: Path = field(init=False)

    def __post_init__(self) -> None:
        self.report = self.images.parent / "report.json"

    @property
    def targets(self) -> list[Path]:
        return [self._target(path) for path in self.whole]

    def _target(self, path: Path) -> Path:
        return self.output / path.relative_to(self.images).with_suffix(".png")

    def masks(self) -> set[Path]:
        """Masks that exist."""
        return set(self.output.glob("*/*.png"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    base = tmp_path_factory.mktemp("batch")
    images = base / "photographs"
    whole = write_pieces(images, NUMBER)
    return Folder(images, base / "masks", whole, write_broken(images / "broken", whole[0]))


class Run:
    """The batch job in a process of its own; all its descendants carry a mark."""

    def __init__(self, folder: Folder, concurrency: int = 2) -> None:
        self.mark = uuid4().hex
        command = [sys.executable, "-m", "deploy.ray.batch", str(folder.images), "--output", str(folder.output)]
        command += ["--concurrency", str(concurrency), "--report", str(folder.report)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, _MARK: self.mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> tuple[int, str]:
        """Wait for the job to end; return the exit code and the output."""
        _, said = self.process.communicate(timeout=_PROGRESS_S)
        return self.process.returncode, said

    def end(self) -> None:
        """End all its processes that still run, the cluster included."""
        self.process.kill()
        while living := self.processes():
            for process in living:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        self.process.communicate()

    def processes(self, title: str = "") -> list[int]:
        """Ids of the run's live processes whose names begin with ``title``."""
        mark = f"{_MARK}={self.mark}".encode()
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal()
            and mark in _read(entry / "environ")
            and _read(entry / "cmdline").startswith(title.encode())
        ]


@pytest.fixture
def start() -> Iterator[Callable[..., Run]]:
    """Starts runs, and ends them and their clusters with the test, even if it fails."""
    with ExitStack() as started:

        def start(folder: Folder, concurrency: int = 2) -> Run:
            run = Run(folder, concurrency)
            started.callback(run.end)
            return run

        yield start


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def test_a_run_that_was_killed_goes_on_and_one_whose_actor_dies_ends_well(
    folder: Folder, start: Callable[..., Run]
) -> None:
    killed = start(folder)
    wait_until(lambda: len(folder.masks()) > NUMBER // 10, _PROGRESS_S)
    killed.process.kill()
    killed.finish()
    wait_until(lambda: not killed.processes(), _PROGRESS_S)
    made = {path: path.stat().st_mtime_ns for path in folder.masks()}
    assert NUMBER // 10 < len(made) < NUMBER
    for path in made:
        _require_whole(path)

    resumed = start(folder)
    wait_until(lambda: len(folder.masks()) > len(made) + NUMBER // 10, _PROGRESS_S)
    os.kill(resumed.processes("ray::MapWorker")[0], signal.SIGKILL)
    code, said = resumed.finish()

    assert folder.masks() == set(folder.targets)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert [path for path in folder.output.rglob("*") if path.is_file() and path.suffix != ".png"] == []
    for path in folder.targets:
        _require_whole(path)
    report = json.loads(folder.report.read_text())
    assert (len(report["skipped"]), len(report["done"])) == (len(made), NUMBER - len(made))
    assert {failure["file"] for failure in report["failed"]} == {str(path) for path in folder.broken}
    assert all(len(failure["reason"].split()) > 2 for failure in report["failed"]), report["failed"]
    assert code == 1
    assert f"{NUMBER - len(made)} done, {len(made)} skipped, {len(folder.broken)} failed" in said


def test_masks_are_those_of_the_command_line(folder: Folder, tmp_path: Path) -> None:
    few = folder.images / "07"
    command = [sys.executable, "-m", "app", "image", str(few), "-o", str(tmp_path), "--quiet"]
    subprocess.run(command, cwd=ROOT, check=True)
    by_command_line = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert len(by_command_line) == 100
    assert {path.name: path.read_bytes() for path in (folder.output / "07").glob("*.png")} == by_command_line


def test_a_finished_run_does_nothing_more(folder: Folder, start: Callable[..., Run]) -> None:
    for path in folder.broken:
        path.unlink()
    made = {path: path.stat().st_mtime_ns for path in folder.masks()}
    code, said = start(folder).finish()
    assert (code, f"0 done, {NUMBER} skipped, 0 failed" in said) == (0, True), said
    assert {path: path.stat().st_mtime_ns for path in folder.masks()} == made


def test_a_file_whose_process_dies_each_time_is_given_up(tmp_path: Path, start: Callable[..., Run]) -> None:
    images = tmp_path / "photographs"
    whole = write_pieces(images, 20)
    # Its reader waits for a writer, and is killed meanwhile.
    poison = images / "00/poison.jpg"
    os.mkfifo(poison)
    folder = Folder(images, tmp_path / "masks", whole, [poison])
    run = start(folder, concurrency=1)
    for tries in range(1, 4):
        wait_until(lambda tries=tries: _tries_alone(folder.output, poison) == tries, _PROGRESS_S)  # type: ignore[misc]
        os.kill(run.processes("ray::MapWorker")[0], signal.SIGKILL)
    code, said = run.finish()
    assert (code, "20 done, 0 skipped, 1 failed" in said) == (1, True), said
    assert f"failed: {poison}: the process that works on it has died 3 times: does it have enough memory?" in said
    assert folder.masks() == set(folder.targets)


def _tries_alone(output: Path, file: Path) -> int:
    """Unfinished tries of a file, or 0 while another is in progress; which block Ray begins with varies."""
    marks = output / ".unfinished/tries"
    return Tries(marks).count(str(file)) if len(list(marks.glob("*"))) == 1 else 0


def _require_whole(path: Path) -> None:
    with Image.open(path) as picture:
        mask = np.array(picture)
    assert mask.ndim == 2
    assert mask.max() <= 20
