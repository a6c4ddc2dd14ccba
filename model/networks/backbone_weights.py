"""ImageNet weights for the backbone, from a file or downloaded by torchvision."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import ResNet18_Weights

from model.errors import NetworkError
from model.networks.resnet import ResNet


def load_backbone_file(backbone: ResNet, path: Path) -> None:
    """Load a safetensors file that names its tensors as torchvision's ResNets do.

    Blocks and dense layers that the backbone lacks are ignored: a ResNet with three blocks in its last stage can
    initialise one with two.

    Raises:
        NetworkError: the file cannot be read, lacks a tensor, or has one of another shape.
    """
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise NetworkError(f"backbone weights {path} cannot be read: {error}") from error
    _load(backbone, weights, str(path))


def load_backbone_from_torchvision(backbone: ResNet) -> None:
    """Download torchvision's ImageNet ResNet-18 (45 MB, kept in torch's cache) and load it.

    Raises:
        NetworkError: the download failed or was damaged, or the backbone is not a ResNet-18.
    """
    try:
        weights = ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except Exception as error:  # torch's unpickler can raise any exception on a damaged file
        raise NetworkError(f"torchvision's ResNet-18 weights cannot be downloaded: {error}") from error
    _load(backbone, dict(weights), "torchvision's ResNet-18")


def _load(backbone: ResNet, weights: dict[str, Tensor], source: str) -> None:
    own = backbone.state_dict()
    # A file without these counters of training steps is still complete: nothing reads them here.
    needed = {name for name in own if not name.endswith("num_batches_tracked")}
    missing = sorted(needed - weights.keys())
    if missing:
        raise NetworkError(f"{source} lacks {len(missing)} of the backbone's {len(needed)} tensors: {missing[0]}, ...")
    for name in sorted(needed):
        if weights[name].shape != own[name].shape:
            raise NetworkError(
                f"{source}: {name} has shape {tuple(weights[name].shape)}, the backbone needs {tuple(own[name].shape)}"
            )
    backbone.load_state_dict({name: weights[name].float() for name in needed}, strict=False)
