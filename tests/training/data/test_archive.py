import hashlib
import tarfile
from pathlib import Path

import pytest

from tests.training.tar_file import member, tar_bytes
from tests.training.web_server import WebServer
from training.data.archive import Archive, unpack
from training.errors import FetchError

CONTENT = tar_bytes({"data/list.txt": b"one two"})


@pytest.fixture
def archive(server: WebServer) -> Archive:
    server.files["/mirror/file"] = CONTENT
    return Archive("data.tar", f"{server.url}/mirror/file", hashlib.md5(CONTENT).hexdigest())


def test_a_wrong_file_that_is_there_is_refused_and_left_to_its_owner(
    archive: Archive, server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "data.tar").write_bytes(b"precious")
    with pytest.raises(FetchError, match=rf"data.tar is not the right file.*MD5.*not {archive.md5}"):
        archive.download(tmp_path)
    assert (tmp_path / "data.tar").read_bytes() == b"precious"
    assert server.requests == []


def test_a_wrong_file_from_the_server_is_refused_and_the_next_call_begins_anew(
    archive: Archive, server: WebServer, tmp_path: Path
) -> None:
    server.files["/mirror/file"] = b"<html>Please log in</html>"
    with pytest.raises(FetchError, match=rf"/mirror/file gave a wrong file; it was removed.*not {archive.md5}"):
        archive.download(tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.files["/mirror/file"] = CONTENT
    assert archive.download(tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, None]


def test_a_beginning_that_does_not_fit_is_found_out(archive: Archive, server: WebServer, tmp_path: Path) -> None:
    (tmp_path / "data.tar.part").write_bytes(b"another")
    with pytest.raises(FetchError, match="gave a wrong file"):
        archive.download(tmp_path)
    assert archive.download(tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=7-", None]


def test_a_download_that_was_complete_but_unchecked_is_checked(
    archive: Archive, server: WebServer, tmp_path: Path
) -> None:
    (tmp_path / "data.tar.part").write_bytes(CONTENT)
    assert archive.download(tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder two levels below the temporary folder, where escaping files would show."""
    made = tmp_path / "around" / "inside"
    made.mkdir(parents=True)
    return made


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def write(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "archive").write_bytes(content)
    return tmp_path / "archive"


@pytest.mark.parametrize("gzip", [False, True])
def test_wanted_members_are_unpacked_and_no_others(gzip: bool, tmp_path: Path, folder: Path) -> None:
    files = {"data/img/a.jpg": b"a", "data/imgs/b.jpg": b"b", "./data/cls/c.mat": b"c", "data/list.txt": b"d"}
    archive = write(tmp_path, tar_bytes(files, [member("data/img/more", kind=tarfile.DIRTYPE)], gzip=gzip))
    unpack(archive, folder, ("data/img/", "data/cls/", "data/list.txt"))
    assert files_below(folder) == {"data/img/a.jpg", "data/cls/c.mat", "data/list.txt"}
    assert (folder / "data" / "img" / "a.jpg").read_bytes() == b"a"


def test_progress_ends_at_the_archives_size(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unpack(write(tmp_path, CONTENT), folder, ("data/",))
    assert "unpacking archive" in (progress := capsys.readouterr().err)
    assert f"{len(CONTENT) / 1000:.1f}/{len(CONTENT) / 1000:.1f} kB" in progress


@pytest.mark.parametrize("name", ["../escaped", "data/../../escaped", "data/x/../../../../escaped"])
@pytest.mark.parametrize("wanted", [("data/", "../", "escaped"), ("nothing",)])
def test_a_path_that_leaves_the_folder_is_refused(
    name: str, wanted: tuple[str, ...], tmp_path: Path, folder: Path
) -> None:
    archive = write(tmp_path, tar_bytes({name: b"bad"}))
    with pytest.raises(FetchError, match=rf"archive is refused: its member {name} is not safe to unpack"):
        unpack(archive, folder, wanted)
    assert files_below(tmp_path) == {"archive"}


def test_an_absolute_path_is_refused(tmp_path: Path, folder: Path) -> None:
    name = f"{tmp_path}/escaped"
    archive = write(tmp_path, tar_bytes({name: b"bad"}))
    with pytest.raises(FetchError, match=rf"its member {name} has an absolute path"):
        unpack(archive, folder, ("/", ""))
    assert files_below(tmp_path) == {"archive"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["../..", "../../archive", "/etc"])
def test_a_link_to_outside_is_refused_wanted_or_not(kind: bytes, target: str, tmp_path: Path, folder: Path) -> None:
    archive = write(tmp_path, tar_bytes({}, [member("data", kind=kind, target=target)]))
    with pytest.raises(FetchError, match="its member data is not safe to unpack"):
        unpack(archive, folder, ("data/",))
    assert files_below(tmp_path) == {"archive"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_wanted_link_is_refused_even_if_it_stays_inside(kind: bytes, tmp_path: Path, folder: Path) -> None:
    archive = write(tmp_path, tar_bytes({"data/a": b"a"}, [member("data/b", kind=kind, target="data/a")]))
    with pytest.raises(FetchError, match="its member data/b is neither file nor folder"):
        unpack(archive, folder, ("data/",))
    assert files_below(folder) == {"data/a"}


def test_a_device_is_refused(tmp_path: Path, folder: Path) -> None:
    archive = write(tmp_path, tar_bytes({}, [member("data/pipe", kind=tarfile.FIFOTYPE)]))
    with pytest.raises(FetchError, match="its member data/pipe is not safe to unpack"):
        unpack(archive, folder, ("data/",))
    assert files_below(folder) == set()


@pytest.mark.parametrize(
    "content",
    [b"no tar", CONTENT[:600], tar_bytes({"data/a": bytes(9_000)}, gzip=True)[:60]],
    ids=["something else", "cut off", "cut off and compressed"],
)
def test_a_damaged_archive_is_named(content: bytes, tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FetchError, match="archive cannot be unpacked: "):
        unpack(write(tmp_path, content), folder, ("data/",))
