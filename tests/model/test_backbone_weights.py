import hashlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import ResNet18_Weights, resnet18

from model.errors import NetworkError
from model.networks.backbone_weights import load_backbone_file, load_backbone_from_torchvision
from model.networks.resnet import ResNet


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        pass


@pytest.fixture
def served_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def address(served_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_SilentHandler, directory=str(served_folder))) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _download_from(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(ResNet18_Weights.IMAGENET1K_V1.value, "url", url)


def test_torchvisions_weights_are_downloaded_and_loaded(
    address: str, served_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    weights = resnet18(weights=None).state_dict()
    made = served_folder / "made.pth"
    torch.save(weights, made)
    name = f"resnet18-{hashlib.sha256(made.read_bytes()).hexdigest()[:8]}.pth"
    made.rename(served_folder / name)
    _download_from(f"{address}/{name}", monkeypatch)
    backbone = ResNet()
    load_backbone_from_torchvision(backbone)
    for tensor_name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, weights[tensor_name]), tensor_name


def test_a_damaged_download_is_refused(address: str, served_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (served_folder / "resnet18-01234567.pth").write_bytes(b"something else")
    _download_from(f"{address}/resnet18-01234567.pth", monkeypatch)
    with pytest.raises(NetworkError, match=r"cannot be downloaded: invalid hash value"):
        load_backbone_from_torchvision(ResNet(width=1))


def test_a_missing_download_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _download_from(f"{address}/resnet18-01234567.pth", monkeypatch)
    with pytest.raises(NetworkError, match=r"cannot be downloaded: HTTP Error 404"):
        load_backbone_from_torchvision(ResNet(width=1))


def test_a_damaged_file_in_torchs_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "resnet18-01234567.pth").write_bytes(b"something else")
    _download_from("http://127.0.0.1:9/resnet18-01234567.pth", monkeypatch)
    with pytest.raises(NetworkError, match="torchvision's ResNet-18 weights"):
        load_backbone_from_torchvision(ResNet(width=1))


def test_a_refused_connection_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        _download_from(f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}/resnet18-01234567.pth", monkeypatch)
        with pytest.raises(NetworkError, match=r"cannot be downloaded: .*refused"):
            load_backbone_from_torchvision(ResNet(width=1))


def test_a_file_without_counters_and_in_float16_is_complete(tmp_path: Path) -> None:
    torch.manual_seed(2)
    weights = {
        name: tensor.half()
        for name, tensor in ResNet(width=2).state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(weights, tmp_path / "backbone.safetensors")
    backbone = ResNet(width=2)
    load_backbone_file(backbone, tmp_path / "backbone.safetensors")
    for name, tensor in weights.items():
        assert torch.equal(backbone.state_dict()[name], tensor.float()), name


def test_a_missing_tensor_is_refused_by_name(tmp_path: Path) -> None:
    weights = ResNet(width=2).state_dict()
    del weights["layer3.0.bn1.running_var"]
    save_file(weights, tmp_path / "backbone.safetensors")
    with pytest.raises(NetworkError, match=r"backbone\.safetensors lacks 1 of .* tensors: layer3\.0\.bn1\.running_var"):
        load_backbone_file(ResNet(width=2), tmp_path / "backbone.safetensors")


def test_a_tensor_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    weights = ResNet(width=2).state_dict()
    weights["conv1.weight"] = torch.zeros(2, 3, 5, 5)
    save_file(weights, tmp_path / "backbone.safetensors")
    backbone = ResNet(width=2)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    with pytest.raises(
        NetworkError, match=r"conv1\.weight has shape \(2, 3, 5, 5\), the backbone needs \(2, 3, 7, 7\)"
    ):
        load_backbone_file(backbone, tmp_path / "backbone.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


def test_an_unreadable_file_is_refused_by_name(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"no weights at all")
    for file in (garbage, tmp_path / "absent.safetensors"):
        with pytest.raises(NetworkError, match=rf"{file.name} cannot be read"):
            load_backbone_file(ResNet(width=1), file)


def test_a_file_with_three_blocks_fills_two(shared_data: Path) -> None:
    file = shared_data / "weights" / "resnet18_imagenet.safetensors"
    weights = load_file(file)
    assert "layer4.2.conv1.weight" in weights
    two, three = ResNet(), ResNet((2, 2, 2, 3))
    load_backbone_file(two, file)
    load_backbone_file(three, file)
    for name in ("conv1.weight", "layer1.0.bn1.running_var", "layer4.1.conv2.weight"):
        assert torch.equal(two.state_dict()[name], weights[name].float())
    assert torch.equal(three.state_dict()["layer4.2.conv1.weight"], weights["layer4.2.conv1.weight"].float())
