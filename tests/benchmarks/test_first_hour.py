from pathlib import Path

import pytest

from benchmarks import first_hour
from benchmarks.first_hour import ROWS, Row

pytestmark = pytest.mark.slow


def test_all_of_it_runs_on_a_cpu_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "first-hour.md"
    assert first_hour.run("cpu", file), capsys.readouterr().out
    rows = [line.split(" | ") for line in file.read_text().splitlines() if line.startswith("| ")][2:]
    assert [row[0].removeprefix("| ") for row in rows] == list(ROWS)
    found = {row[0].removeprefix("| "): row[1] for row in rows}
    assert found["golden image"] == "float32 0.0000%"
    assert "finished at step 1;" in found["training"]


def test_what_fails_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: str, __: object) -> str:
        raise AssertionError

    # The child process does not know this row.
    rows = {"unknown": Row(fail, "a failure"), "device": ROWS["device"]}
    monkeypatch.setattr("benchmarks.first_hour.ROWS", rows)
    file = tmp_path / "first-hour.md"
    assert not first_hour.run("cpu", file)
    first, second = file.read_text().splitlines()[-2:]
    assert first.startswith("| unknown | FAILED, exit code 1: ")
    assert second.startswith("| device | CPU; ")
    assert "failed: unknown" in capsys.readouterr().out
