from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint, Golden, Summary
from model.labels import Labels
from model.preprocessing import Preprocessing
from model.weight_compression import StorageDtype
from tests.model.random_checkpoint import random_checkpoint, small_labels
from training.__main__ import cli
from training.errors import ExportError


def _average(*files: Path, out: Path) -> Result:
    return CliRunner().invoke(cli, ["average", *map(str, files), "--out", str(out)])


def test_weights_are_averaged_and_the_last_ones_origin_is_kept(tmp_path: Path) -> None:
    files = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
    for seed, file in enumerate(files):
        scores: dict[str, Any] = {"scores": {"miou": 0.5}, "precision_scores": {"int8": {"val": 0.5}}}
        summary = Summary(name=f"run {seed}", training={"step": seed}, **scores)
        image = np.zeros((2, 3, 3), dtype=np.uint8)
        replace(
            random_checkpoint(seed=seed),
            summary=summary,
            golden=Golden(image, image[..., 0]),
            storage_dtype=StorageDtype.INT8,
            activation_ranges=((0.0, 1.0),),
        ).save(file)
    out = tmp_path / "mean.safetensors"
    result = _average(*files, out=out)
    assert result.exit_code == 0, result.output
    mean = Checkpoint.load(out)
    states = [Checkpoint.load(file).weights for file in files]
    for name, weight in mean.weights.items():
        if weight.is_floating_point():
            expected = (states[0][name] + states[1][name] + states[2][name]) / 3
            assert weight.allclose(expected, rtol=2**-10, atol=1e-6), name
    assert mean.summary == Summary(name="run 2", training={"step": 2})
    assert (mean.golden, mean.activation_ranges, mean.storage_dtype) == (None, (), StorageDtype.FLOAT16)


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("network", random_checkpoint(width=8)),
        ("classes", replace(random_checkpoint(), labels=Labels(tuple("abcd"), small_labels(4).colors))),
        ("preprocessing", replace(random_checkpoint(), preprocessing=Preprocessing((0.5,) * 3, (0.5,) * 3))),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path, what: str, other: Checkpoint) -> None:
    files = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    other.save(files[0])
    random_checkpoint().save(files[1])
    result = _average(*files, out=tmp_path / "mean.safetensors")
    assert isinstance(result.exception, ExportError)
    assert str(result.exception) == f"{what} of checkpoint 1 and of the last one differ: they have no mean"


def test_one_checkpoint_is_refused(tmp_path: Path) -> None:
    random_checkpoint().save(tmp_path / "a.safetensors")
    result = _average(tmp_path / "a.safetensors", out=tmp_path / "mean.safetensors")
    assert result.exit_code == 2
    assert "two checkpoints or more" in result.output
    assert not (tmp_path / "mean.safetensors").exists()
