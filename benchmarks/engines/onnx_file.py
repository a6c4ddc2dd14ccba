"""The body as an ONNX file: ``images`` of any size in, ``scores`` out."""

import importlib
import warnings
from pathlib import Path

import torch
from torch.export import Dim

from benchmarks.engines.candidate import Body, UnavailableError, example
from model.networks.fcn import ALIGNMENT
from model.streaming import Scores


def require(*packages: str) -> None:
    """Check that packages can be imported.

    Raises:
        UnavailableError: a package is missing.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise UnavailableError(f"needs the package {package}") from error


def write_onnx(body: Body, path: Path) -> None:
    """Export the body to an ONNX file.

    Raises:
        UnavailableError: packages are missing.
    """
    require("onnx", "onnxscript")
    network = Scores(body.copy())
    sides = {2: ALIGNMENT * Dim("rows", min=1, max=512), 3: ALIGNMENT * Dim("columns", min=1, max=512)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(network, (example(96, 160),), dynamic_shapes=(sides,))
        program = torch.onnx.export(
            exported, input_names=["images"], output_names=["scores"], dynamic_shapes=(sides,), verbose=False
        )
    assert program is not None
    program.save(path, external_data=False)
