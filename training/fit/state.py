"""The state from which a training run is resumed: one file, replaced atomically."""

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from model.files import replacing
from training.config import TrainConfig
from training.errors import ResumeError


@dataclass(frozen=True, slots=True)
class RunState:
    """State of a run between two steps.

    Attributes:
        config: settings of the run.
        step: number of steps done.
        tensors: state dictionaries by name, and other values.
    """

    config: TrainConfig
    step: int
    tensors: Mapping[str, Any]

    def save(self, file: Path) -> None:
        """Write the file atomically: a kill at any moment leaves the old file or the whole new one."""
        with replacing(file) as unfinished:
            torch.save({"config": self.config.document(), "step": self.step, "tensors": dict(self.tensors)}, unfinished)

    @classmethod
    def load(cls, file: Path) -> "RunState":
        """Read a file written by ``save``, without executing code from it.

        Raises:
            ResumeError: the file is missing, damaged or foreign.
        """
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
            return cls(TrainConfig.from_document(content["config"]), int(content["step"]), content["tensors"])
        except FileNotFoundError as error:
            raise ResumeError(f"there is no run to resume: {file} is missing") from error
        except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError) as error:
            raise ResumeError(f"{file} holds no run that can be resumed: {error}") from error

    def require_same(self, config: TrainConfig) -> None:
        """Raise ``ResumeError``, naming the settings, if another configuration would not give the same run."""
        changed = differences(self.config, config)
        if changed:
            raise ResumeError(
                f"the run to resume has other settings: {', '.join(changed)}; "
                "resume it with its own settings, or start a new run in another folder"
            )


def differences(first: TrainConfig, second: TrainConfig) -> list[str]:
    """Return the names of settings that differ and affect the result of a run."""
    one, other = _flat(asdict(first)), _flat(asdict(second))
    changed = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [
        name for name in changed if not name.startswith("run.") or name in {"run.steps", "run.seed", "run.bfloat16"}
    ]


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in document.items():
        settings |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return settings
