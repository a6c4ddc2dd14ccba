import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.training.tar_file import tar_bytes
from tests.training.voc_archives import SBD_MASKS, TRAINAUG, VOC_LISTS, VOC_MASKS, sbd_bytes, serve, serve_all
from tests.training.voc_folder import write_voc_folder
from tests.training.web_server import WebServer
from training.data.dataset import VocDataset
from training.data.fetching import Part, fetch
from training.data.voc2012 import VOC2012
from training.errors import DatasetError, FetchError


@pytest.fixture
def parts(server: WebServer) -> list[Part]:
    return serve_all(server)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "voc2012"


def require_complete(root: Path) -> None:
    """Require that every list can be read with the right masks, and that no files are left over."""
    for split, names in (VOC_LISTS | {"trainaug": TRAINAUG}).items():
        dataset = VocDataset(root, split)
        assert dataset.names == names
        for sample in (dataset[index] for index in range(len(names))):
            np.testing.assert_array_equal(sample.mask, (SBD_MASKS | VOC_MASKS)[sample.name])
    assert {path.name for path in root.iterdir()} == {
        "ImageSets",
        "JPEGImages",
        "SegmentationClass",
        "SegmentationClassAug",
        "fetched.md5",
    }
    assert [path.name for path in (root / "ImageSets").iterdir()] == ["Segmentation"]
    assert {path.stem for path in (root / "SegmentationClass").iterdir()} == set(VOC_MASKS)
    assert {path.stem for path in (root / "SegmentationClassAug").iterdir()} == set(SBD_MASKS | VOC_MASKS)


def test_archives_become_a_data_set(server: WebServer, parts: list[Part], root: Path) -> None:
    assert fetch(root, parts)
    require_complete(root)
    assert server.ranges == [None, None]


def test_the_record_names_the_archives_and_their_checksums(parts: list[Part], root: Path) -> None:
    fetch(root, parts)
    assert (root / "fetched.md5").read_text().splitlines() == [
        f"{parts[0].archive.md5}  archives/VOCtrainval_11-May-2012.tar",
        f"{parts[1].archive.md5}  archives/benchmark.tgz",
    ]


def test_a_second_call_asks_for_nothing_and_changes_nothing(server: WebServer, parts: list[Part], root: Path) -> None:
    fetch(root, parts)
    server.requests.clear()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert not fetch(root, parts)
    assert server.requests == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_part_can_be_added_later(server: WebServer, parts: list[Part], root: Path) -> None:
    assert fetch(root, parts[:1])
    assert not (root / "SegmentationClassAug").exists()
    assert len(VocDataset(root, "val")) == 1
    assert fetch(root, parts)
    require_complete(root)
    assert [path for path, _ in server.requests] == ["/VOCtrainval_11-May-2012.tar", "/benchmark.tgz"]


def test_archives_can_be_kept_and_serve_again(server: WebServer, parts: list[Part], root: Path) -> None:
    fetch(root, parts, keep_archives=True)
    assert {path.name for path in (root / "archives").iterdir()} == {part.archive.name for part in parts}
    (root / "JPEGImages").rename(root / "moved")
    server.requests.clear()
    assert fetch(root, parts, keep_archives=True)
    assert len(list((root / "JPEGImages").iterdir())) == len(VOC_MASKS | SBD_MASKS)
    assert len(VocDataset(root, "trainaug")) == 4
    assert server.requests == []


def test_other_files_among_the_archives_stay(parts: list[Part], root: Path) -> None:
    (root / "archives").mkdir(parents=True)
    (root / "archives" / "notes.txt").write_text("mine")
    fetch(root, parts)
    assert [path.name for path in (root / "archives").iterdir()] == ["notes.txt"]


def test_a_download_that_broke_off_is_completed_by_the_next_call(
    server: WebServer, parts: list[Part], root: Path
) -> None:
    server.breaks = [5_000, 0]
    with pytest.raises(FetchError, match="5,000 bytes are kept"):
        fetch(root, parts)
    assert fetch(root, parts)
    require_complete(root)
    assert server.ranges == [None, "bytes=5000-", "bytes=5000-", None]


@pytest.mark.parametrize("name", ["VOCdevkit/VOC2012/JPEGImages/../../../../../escaped", "../../escaped"])
def test_an_archive_that_would_write_outside_leaves_nothing_behind(
    name: str, server: WebServer, tmp_path: Path, root: Path
) -> None:
    evil = serve(server, VOC2012, tar_bytes({"VOCdevkit/VOC2012/JPEGImages/a.jpg": b"a", name: b"bad"}))
    with pytest.raises(FetchError, match=r"is refused: its member .*escaped is not safe to unpack"):
        fetch(root, [evil])
    assert list(tmp_path.rglob("escaped")) == []
    assert {path.name for path in root.iterdir()} == {"archives", "fetched.md5"}


def test_an_interrupted_unpacking_is_done_again(
    server: WebServer, parts: list[Part], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[tarfile.TarInfo] = []
    whole = tarfile.TarFile.extract

    def interrupted(self: tarfile.TarFile, member: tarfile.TarInfo, path: Path, *, filter: str) -> None:  # noqa: A002
        whole(self, member, path, filter=filter)  # type: ignore[arg-type]
        unpacked.append(member)
        if len(unpacked) == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(root, parts)
    with pytest.raises(DatasetError):
        VocDataset(root, "train")
    assert {path.name for path in root.iterdir()} == {"archives", "fetched.md5"}
    assert fetch(root, parts)
    require_complete(root)
    assert server.ranges == [None, None]


def test_an_interrupted_conversion_is_done_again_without_another_download(
    server: WebServer, parts: list[Part], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("training.data.sbd.read_mask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(root, parts)
    assert not (root / "SegmentationClassAug").exists()
    assert len(VocDataset(root, "trainval")) == 3
    assert fetch(root, parts)
    require_complete(root)
    assert [path for path, _ in server.requests] == ["/VOCtrainval_11-May-2012.tar", "/benchmark.tgz"]


def test_what_a_killed_program_left_behind_is_replaced(parts: list[Part], root: Path) -> None:
    for folder in ("unpacking/VOCdevkit/VOC2012/JPEGImages", "JPEGImages", "SegmentationClass"):
        (root / folder).mkdir(parents=True)
        (root / folder / "half.png").write_bytes(b"half")
    (root / "fetched.md5").touch()
    assert fetch(root, parts)
    require_complete(root)
    assert list(root.rglob("half.png")) == []


def test_data_from_elsewhere_are_not_replaced(server: WebServer, parts: list[Part], root: Path) -> None:
    write_voc_folder(root, VOC_MASKS)
    with pytest.raises(FetchError, match="voc2012 holds JPEGImages from elsewhere"):
        fetch(root, parts)
    assert len(VocDataset(root, "train")) == 3
    assert server.requests == []


def test_a_whole_data_set_without_the_record_is_not_taken_for_one_that_was_fetched(
    parts: list[Part], root: Path
) -> None:
    fetch(root, parts)
    (root / "fetched.md5").unlink()
    with pytest.raises(FetchError, match="from elsewhere"):
        fetch(root, parts)


def test_an_archive_without_what_it_should_hold_is_named(server: WebServer, root: Path) -> None:
    other = serve(server, VOC2012, sbd_bytes())
    with pytest.raises(FetchError, match=r"VOCtrainval_11-May-2012.tar holds no JPEGImages"):
        fetch(root, [other])


def test_a_folder_that_cannot_be_made_is_named(parts: list[Part], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match=r"file/voc cannot be written: .*Not a directory"):
        fetch(tmp_path / "file" / "voc", parts)


def test_a_disk_that_fills_up_while_unpacking_is_told(
    parts: list[Part], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extract", full)
    with pytest.raises(FetchError, match=r"voc2012 cannot be written: .*No space left on device"):
        fetch(root, parts)
    assert {path.name for path in root.iterdir()} == {"archives", "fetched.md5"}
