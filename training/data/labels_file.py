"""Custom classes: a file of their names and colours."""

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import LabelsError, first_fault
from model.labels import Color, Labels, voc_color
from training.errors import ConfigError
from training.text_file import read_text


class _Class(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    color: Color


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: list[_Class]
    void_color: Color = voc_color(255)


def load_labels(file: Path) -> Labels:
    """Read a class table from TOML, YAML or JSON, depending on the file's suffix.

    In TOML::

        [[classes]]
        name = "background"
        color = [0, 0, 0]

        [[classes]]
        name = "leaf"
        color = [0, 160, 60]

    Classes are listed in the order of their indices, from 0. ``void_color`` may precede them; the default is VOC's.

    Raises:
        ConfigError: the file cannot be read or holds no valid class table.
    """
    try:
        table = _File.model_validate(_parse(file))
        return Labels(
            tuple(entry.name for entry in table.classes),
            tuple(entry.color for entry in table.classes),
            table.void_color,
        )
    except OSError as error:
        raise ConfigError(f"labels file {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"labels file {file}: {first_fault(error)}") from error
    except LabelsError as error:
        raise ConfigError(f"labels file {file}: {error}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"labels file {file} cannot be parsed: {error}") from error


def _parse(file: Path) -> Any:
    text = read_text(file)
    match file.suffix.lower():
        case ".json":
            return json.loads(text)
        case ".yaml" | ".yml":
            return yaml.safe_load(text)
        case _:
            return tomllib.loads(text)
