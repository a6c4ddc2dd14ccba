"""Reads the settings of a training run from TOML or YAML."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from training.config import TrainConfig
from training.errors import ConfigError
from training.text_file import read_text


def load_config(file: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a configuration.

    Args:
        file: TOML or YAML, by its suffix; None starts from the defaults.
        overrides: ``section.name=value``, with the value in TOML syntax or a bare word; later ones win.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or invalid.
    """
    document = TrainConfig().document()
    if file is not None:
        _merge(document, _read(file))
    for override in overrides:
        _apply(document, override)
    try:
        return TrainConfig.from_document(document)
    except ConfigError as error:
        raise ConfigError(f"{file or 'settings'}: {error}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        text = read_text(file)
        document = yaml.safe_load(text) if file.suffix.lower() in {".yaml", ".yml"} else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"configuration {file} cannot be read: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"configuration {file} is neither TOML nor YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"configuration {file} holds no sections")
    return document


def _merge(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            _merge(document[name], value)
        else:
            document[name] = value


def _apply(document: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    *sections, name = path.strip().split(".")
    if not separator or not sections:
        raise ConfigError(f"{override!r} is not of the form section.name=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if name in _PATHS and not isinstance(value, str):
        value = text
    for section in sections:
        if document.get(section) is None:
            document[section] = {}
        document = document[section]
        if not isinstance(document, dict):
            raise ConfigError(f"{override!r}: {section} is not a section")
    document[name] = value


_PATHS = {"folder", "labels", "checkpoint", "backbone", "root", "soft_labels"}
"""Names of settings whose values are paths, even if they look like numbers or dates."""
