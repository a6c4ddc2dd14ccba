"""A checkpoint file of a small network with VOC's classes and random weights."""

from dataclasses import replace
from pathlib import Path

from model.labels import VOC
from tests.model.random_checkpoint import random_checkpoint


def write_voc_checkpoint(file: Path) -> Path:
    """Write the checkpoint, and return ``file``."""
    replace(random_checkpoint(num_classes=len(VOC)), labels=VOC).save(file)
    return file
