"""Small archives with the structure of those of VOC 2012 and SBD."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from model.labels import VOC
from tests.training.tar_file import tar_bytes
from tests.training.voc_folder import Picture, halves
from tests.training.web_server import WebServer
from training.data.fetching import Part
from training.data.sbd import SBD
from training.data.voc2012 import VOC2012

VOC_MASKS = {"2007_1": halves(0, 8), "2007_2": halves(255, 15), "2008_1": halves(3, 0, beside=False)}
SBD_MASKS = {"2007_1": halves(20, 20), "2008_1": halves(20, 20), "2008_2": halves(0, 20), "2009_1": halves(7, 1)}
VOC_LISTS = {"train": ["2007_1", "2007_2"], "val": ["2008_1"], "trainval": ["2007_1", "2007_2", "2008_1"]}
SBD_LISTS = {"train": ["2008_2", "2007_1"], "val": ["2009_1", "2008_1"]}
TRAINAUG = ["2007_1", "2007_2", "2008_2", "2009_1"]
"""Expected list: VOC's train and SBD's two lists, without 2008_1, which is in VOC's val."""


def voc_bytes() -> bytes:
    base = "VOCdevkit/VOC2012"
    files = {f"{base}/Annotations/2007_1.xml": b"<annotation/>"}
    files |= {f"{base}/ImageSets/Segmentation/{name}.txt": _list(names) for name, names in VOC_LISTS.items()}
    files |= {f"{base}/ImageSets/Main/train.txt": b"2007_1\n"}
    files |= {f"{base}/JPEGImages/{name}.jpg": _jpeg(mask) for name, mask in (VOC_MASKS | SBD_MASKS).items()}
    files |= {f"{base}/SegmentationClass/{name}.png": _png(mask) for name, mask in VOC_MASKS.items()}
    return tar_bytes(files)


def sbd_bytes() -> bytes:
    base = "benchmark_RELEASE"
    files = {f"{base}/README": b"about", f"{base}/dataset/img/2008_2.jpg": b"the same as VOC's"}
    files |= {f"{base}/dataset/cls/{name}.mat": mat_bytes(mask) for name, mask in SBD_MASKS.items()}
    files |= {f"{base}/dataset/{name}.txt": _list(names) for name, names in SBD_LISTS.items()}
    return tar_bytes(files, gzip=True)


def serve(server: WebServer, part: Part, content: bytes) -> Part:
    """Let the server serve an archive with this content, and return the part that refers to it."""
    archive = part.archive
    server.files[f"/{archive.name}"] = content
    url, md5 = f"{server.url}/{archive.name}", hashlib.md5(content).hexdigest()
    return replace(part, archive=replace(archive, url=url, md5=md5))


def serve_all(server: WebServer) -> list[Part]:
    return [serve(server, VOC2012, voc_bytes()), serve(server, SBD, sbd_bytes())]


def mat_bytes(mask: NDArray[np.generic]) -> bytes:
    boundaries = np.zeros((20, 1), dtype=np.uint8)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "made.mat"
        savemat(file, {"GTcls": {"Boundaries": boundaries, "Segmentation": mask}}, do_compression=True)
        return file.read_bytes()


def _list(names: list[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _jpeg(mask: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(VOC.colormap(mask)).save(buffer, "JPEG")
    return buffer.getvalue()


def _png(mask: Picture) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(mask)
    picture.putpalette(VOC.palette.tobytes())
    picture.save(buffer, "PNG")
    return buffer.getvalue()
