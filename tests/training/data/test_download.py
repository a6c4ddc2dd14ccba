import random
from pathlib import Path

import pytest
from rich.console import Console

from tests.training.web_server import WebServer
from training import progress
from training.data.download import download
from training.errors import FetchError

CONTENT = random.Random(0).randbytes(1_000_000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.part"


@pytest.fixture
def url(server: WebServer) -> str:
    server.files["/data"] = CONTENT
    return f"{server.url}/data"


def test_a_file_is_downloaded_and_its_whole_size_is_shown(
    server: WebServer, url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download(url, file)
    assert file.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert "data.part" in (shown := capsys.readouterr().err)
    assert "1.0/1.0 MB" in shown


def test_a_connection_that_breaks_is_followed_by_one_that_asks_for_the_rest(
    server: WebServer, url: str, file: Path
) -> None:
    server.breaks = [300_000, 500_000]
    download(url, file)
    assert file.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=800000-"]


def test_progress_goes_on_where_the_download_broke_off(
    server: WebServer, url: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a terminal, where the progress bar moves.
    monkeypatch.setattr(progress, "_CONSOLE", Console(stderr=True, force_terminal=True, force_interactive=True))
    file.write_bytes(CONTENT[:700_000])
    download(url, file)
    assert file.read_bytes() == CONTENT
    assert server.ranges == ["bytes=700000-"]
    assert "0.7/1.0 MB" in (shown := capsys.readouterr().err)
    assert "1.0/1.0 MB" in shown


def test_a_server_that_sends_no_parts_makes_it_begin_anew(server: WebServer, url: str, file: Path) -> None:
    server.knows_ranges, server.breaks = False, [300_000]
    download(url, file)
    assert file.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-"]


def test_a_server_that_never_gets_further_is_given_up(server: WebServer, url: str, file: Path) -> None:
    server.knows_ranges, server.breaks = False, [300_000] * 9
    with pytest.raises(
        FetchError, match=r"closed the connection too early; 300,000 bytes are kept, and the same comma"
    ):
        download(url, file)
    assert len(server.requests) == 2


def test_a_server_that_tells_no_length_is_believed(server: WebServer, url: str, file: Path) -> None:
    server.tells_length = False
    download(url, file)
    assert file.read_bytes() == CONTENT


def test_a_refusal_is_told_with_its_address_and_leaves_no_file(server: WebServer, file: Path) -> None:
    with pytest.raises(
        FetchError, match=r"^http://127.*/absent cannot be downloaded: the server answers 404 Not Found$"
    ):
        download(f"{server.url}/absent", file)
    assert not file.exists()
    assert len(server.requests) == 1


def test_a_refusal_keeps_what_has_been_downloaded(server: WebServer, file: Path) -> None:
    file.write_bytes(CONTENT[:10])
    with pytest.raises(FetchError, match="404 Not Found"):
        download(f"{server.url}/absent", file)
    assert file.read_bytes() == CONTENT[:10]


def test_a_server_that_does_not_answer_is_given_up(server: WebServer, url: str, file: Path) -> None:
    server.stalls = True
    with pytest.raises(FetchError, match=r"/data cannot be downloaded: timed out$"):
        download(url, file, timeout_s=0.05)


def test_a_server_that_falls_silent_in_the_middle_is_asked_for_the_rest(
    server: WebServer, url: str, file: Path
) -> None:
    server.breaks, server.falls_silent = [300_000], True
    download(url, file, timeout_s=0.2)
    assert file.read_bytes() == CONTENT
    first, second = server.ranges
    assert first is None
    assert second is not None


def test_a_server_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(FetchError, match=r"http://127.0.0.1:1/data cannot be downloaded: .*refused"):
        download("http://127.0.0.1:1/data", file)


@pytest.mark.parametrize("address", ["data.tar", "file:///etc/hostname", "ftp://127.0.0.1/data"])
def test_an_address_that_is_not_of_the_web_is_refused(address: str, file: Path) -> None:
    with pytest.raises(FetchError, match="is not an http or https address"):
        download(address, file)


@pytest.mark.parametrize("address", ["http://", "http://[::1/data", "http://127.0.0.1:many/data"])
def test_an_address_that_is_none_is_named(address: str, file: Path) -> None:
    with pytest.raises(FetchError) as caught:
        download(address, file)
    assert address in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_is_told_in_one_sentence(url: str, file: Path) -> None:
    file.symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"data.part cannot be written: No space left on device$"):
        download(url, file)
