"""Which device to compute on."""

import torch

from model.errors import DeviceError


def choose_device(name: str) -> torch.device:
    """The device of a name: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``, which is CUDA where there is some.

    Raises:
        DeviceError: the device is unknown to torch, absent, or computes nothing.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        _require_known_architecture(device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        first_line = str(error).splitlines()[0]
        raise DeviceError(f"device {name!r} cannot be used: {first_line}") from error
    return device


def _require_known_architecture(device: torch.device) -> None:
    """Refuse a GPU that is older than all that this PyTorch was compiled for: it would fail at the first kernel."""
    if device.type != "cuda":
        return
    compiled = [name.removeprefix("sm_") for name in torch.cuda.get_arch_list() if name.startswith("sm_")]
    oldest = min((int(number) for number in compiled if number.isdigit()), default=0)
    major, minor = torch.cuda.get_device_capability(device)
    if 10 * major + minor < oldest:
        name = torch.cuda.get_device_name(device)
        raise DeviceError(
            f"device '{device}' cannot be used: {name} has compute capability {major}.{minor}, and this PyTorch needs "
            f"{oldest // 10}.{oldest % 10} or newer"
        )
