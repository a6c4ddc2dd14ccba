from pathlib import Path

from tests.training.voc_archives import VOC_LISTS, VOC_MASKS, serve, voc_bytes
from tests.training.web_server import WebServer
from training.data.fetching import fetch
from training.data.voc2012 import VOC2012


def test_only_what_segmentation_needs_is_unpacked(server: WebServer, tmp_path: Path) -> None:
    fetch(tmp_path, [serve(server, VOC2012, voc_bytes())])
    assert {path.name for path in tmp_path.iterdir()} == {
        "ImageSets",
        "JPEGImages",
        "SegmentationClass",
        "fetched.md5",
    }
    assert [path.name for path in (tmp_path / "ImageSets").iterdir()] == ["Segmentation"]
    assert {path.stem for path in (tmp_path / "SegmentationClass").iterdir()} == set(VOC_MASKS)
    for name, names in VOC_LISTS.items():
        assert (tmp_path / "ImageSets" / "Segmentation" / f"{name}.txt").read_text().split() == names
