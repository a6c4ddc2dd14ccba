"""``python -m training fetch``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from training.data.dataset import VocDataset
from training.data.fetching import Part
from training.data.fetching import fetch as fetch_parts
from training.data.sbd import SBD
from training.data.voc2012 import VOC2012


def fetch(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The data set, for example data/voc2012; created if missing.")
    ],
    sbd: Annotated[bool, typer.Option(help="Include SBD's masks and the list trainaug.")] = True,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep the archives in FOLDER/archives.")
    ] = False,
    voc_url: Annotated[
        str, typer.Option(help="Other address of VOC 2012's archive.", show_default="host.robots.ox.ac.uk")
    ] = VOC2012.archive.url,
    sbd_url: Annotated[
        str, typer.Option(help="Other address of SBD's archive.", show_default="www2.eecs.berkeley.edu")
    ] = SBD.archive.url,
) -> None:
    """Download Pascal VOC 2012 and SBD, and combine them into one data set.

    VOC 2012 (2.0 GB) has 2,913 photographs with masks, in the lists train
    (1,464), val (1,449) and trainval. SBD (1.4 GB) adds masks for more of
    VOC's photographs: the list trainaug (10,582) is VOC's train and all of
    SBD, without VOC's val. SegmentationClassAug holds VOC's own mask of a
    photograph if there is one, otherwise SBD's.

    If a download is interrupted, the same command resumes it. A file with
    the wrong checksum is never unpacked. Data that is already complete is not
    fetched again. An archive that you already have is used, and removed like
    any other, if it is in FOLDER/archives under the name
    VOCtrainval_11-May-2012.tar or benchmark.tgz. The command needs up to 4 GB
    of disk while it runs; 2 GB remain, 5.4 GB with --keep-archives.

    The photographs come from Flickr, under its terms of use; both data sets
    are intended for research.

    Example, including how to train on the result:

      python -m training fetch data/voc2012
      python -m training train --source data/voc2012:trainaug:16 --out runs/voc
    """
    parts = [_from(VOC2012, voc_url)] + ([_from(SBD, sbd_url)] if sbd else [])
    titles = " and ".join(part.title for part in parts)
    if fetch_parts(folder, parts, keep_archives=keep_archives):
        print(f"{folder} now has {titles}: {_sizes(folder, sbd)}")
    else:
        print(f"{folder} has {titles} already, nothing to do: {_sizes(folder, sbd)}")


def _from(part: Part, url: str) -> Part:
    return replace(part, archive=replace(part.archive, url=url))


def _sizes(folder: Path, sbd: bool) -> str:
    splits = ("train", "val", "trainval", "trainaug") if sbd else ("train", "val", "trainval")
    return ", ".join(f"{split} {len(VocDataset(folder, split))}" for split in splits)
