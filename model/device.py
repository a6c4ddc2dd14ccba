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
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        first_line = str(error).splitlines()[0]
        raise DeviceError(f"device {name!r} cannot be used: {first_line}") from error
    return device
