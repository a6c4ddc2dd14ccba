from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.training.voc_archives import serve_all
from tests.training.web_server import WebServer
from training.__main__ import cli
from training.commands import fetch as command
from training.data.dataset import VocDataset
from training.data.sbd import SBD
from training.data.voc2012 import VOC2012
from training.errors import FetchError


@pytest.fixture
def mirrors(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that use mirrors with small archives; the command's checksums are replaced by theirs."""
    voc, sbd = serve_all(server)
    monkeypatch.setattr(command, "VOC2012", replace(voc, archive=replace(voc.archive, url=VOC2012.archive.url)))
    monkeypatch.setattr(command, "SBD", replace(sbd, archive=replace(sbd.archive, url=SBD.archive.url)))
    return ["--voc-url", voc.archive.url, "--sbd-url", sbd.archive.url]


def run(folder: Path, options: Sequence[str]) -> Result:
    return CliRunner().invoke(cli, ["fetch", str(folder), *options])


def test_fetch_makes_a_data_set_and_tells_its_sizes(mirrors: list[str], tmp_path: Path) -> None:
    result = run(tmp_path / "voc", mirrors)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'voc'} now has VOC 2012 and SBD: train 2, val 1, trainval 3, trainaug 4\n"
    assert len(VocDataset(tmp_path / "voc", "trainaug")) == 4


def test_fetch_says_that_there_is_nothing_to_do(mirrors: list[str], server: WebServer, tmp_path: Path) -> None:
    run(tmp_path, mirrors)
    server.requests.clear()
    result = run(tmp_path, mirrors)
    assert result.exit_code == 0, result.output
    assert "has VOC 2012 and SBD already, nothing to do: train 2" in result.stdout
    assert server.requests == []


def test_fetch_leaves_sbd_out_when_told_so(mirrors: list[str], server: WebServer, tmp_path: Path) -> None:
    result = run(tmp_path, [*mirrors, "--no-sbd"])
    assert result.stdout == f"{tmp_path} now has VOC 2012: train 2, val 1, trainval 3\n"
    assert [path for path, _ in server.requests] == ["/VOCtrainval_11-May-2012.tar"]


@pytest.mark.parametrize(("options", "kept"), [([], False), (["--keep-archives"], True)])
def test_fetch_keeps_the_archives_only_when_told_so(
    options: list[str], kept: bool, mirrors: list[str], tmp_path: Path
) -> None:
    run(tmp_path, [*mirrors, *options])
    assert (tmp_path / "archives" / "benchmark.tgz").exists() == kept


def test_fetch_reports_a_mirror_without_the_file(server: WebServer, tmp_path: Path) -> None:
    result = run(tmp_path, ["--voc-url", f"{server.url}/absent.tar"])
    assert isinstance(result.exception, FetchError)
    assert str(result.exception).endswith("absent.tar cannot be downloaded: the server answers 404 Not Found")


def test_fetch_trusts_no_mirror(server: WebServer, tmp_path: Path) -> None:
    server.files["/other.tar"] = b"another file"
    result = run(tmp_path, ["--voc-url", f"{server.url}/other.tar"])
    assert isinstance(result.exception, FetchError)
    assert "gave a wrong file" in str(result.exception)
    assert VOC2012.archive.md5 in str(result.exception)


def test_the_help_names_what_is_fetched_and_how_to_use_it() -> None:
    result = CliRunner().invoke(cli, ["fetch", "--help"])
    assert result.exit_code == 0
    for part in ("VOCtrainval_11-May-2012.tar", "benchmark.tgz", "trainaug", "2.0 GB", "1.4 GB", "training train"):
        assert part in result.output
