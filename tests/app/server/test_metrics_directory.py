import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server import metrics_directory
from app.server.metrics_directory import MultiprocessMetricsDirectory, NoMetricsDirectoryError

_FILES = ("counter_1.db", "counter_2.db", "gauge_livesum_1.db", "gauge_livesum_2.db", "histogram_1.db")


@pytest.fixture
def folder() -> Iterator[MultiprocessMetricsDirectory]:
    folder = MultiprocessMetricsDirectory()
    for name in _FILES:
        (folder.path / name).touch()
    yield folder
    folder.remove()
    assert not folder.path.exists()


def test_what_an_ended_worker_has_counted_stays_and_what_it_held_goes(folder: MultiprocessMetricsDirectory) -> None:
    folder.mark_dead(1, has_served=True)
    assert _names(folder) == {"counter_1.db", "counter_2.db", "gauge_livesum_2.db", "histogram_1.db"}


def test_nothing_stays_of_a_worker_that_never_served(folder: MultiprocessMetricsDirectory) -> None:
    folder.mark_dead(1, has_served=False)
    assert _names(folder) == {"counter_2.db", "gauge_livesum_2.db"}


def test_temporary_files_do_where_there_is_no_shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_directory, "_IN_MEMORY", "/nonexistent")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert MultiprocessMetricsDirectory().path.parent == tmp_path


def test_no_place_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_directory, "_IN_MEMORY", "/nonexistent")
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")
    with pytest.raises(
        NoMetricsDirectoryError, match="/nonexistent: No such file or directory; temporary files: Not a directory"
    ):
        MultiprocessMetricsDirectory()


def _names(folder: MultiprocessMetricsDirectory) -> set[str]:
    return {file.name for file in folder.path.iterdir()}
