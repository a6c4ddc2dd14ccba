from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model.checkpoint import Checkpoint, Summary
from model.labels import Labels
from model.preprocessing import Preprocessing
from tests.model.random_checkpoint import random_checkpoint, small_labels
from training.__main__ import cli
from training.errors import ExportError


def _average(*files: Path) -> Result:
    return CliRunner().invoke(cli, ["average", *map(str, files)])


def test_weights_are_averaged_and_the_last_ones_origin_is_kept(tmp_path: Path) -> None:
    files = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
    for seed, file in enumerate(files):
        summary = Summary(name=f"run {seed}", scores={"miou": 0.5}, precision_scores={"int8": {"val": 0.5}})
        ranges = ((0.0, 1.0),)
        replace(random_checkpoint(seed=seed), summary=summary, activation_ranges=ranges).save(file)
    out = tmp_path / "mean.safetensors"
    result = _average(*files, out)
    assert result.exit_code == 0, result.output
    mean = Checkpoint.load(out)
    states = [Checkpoint.load(file).weights for file in files]
    for name, weight in mean.weights.items():
        if weight.is_floating_point():
            expected = (states[0][name] + states[1][name] + states[2][name]) / 3
            assert weight.allclose(expected, rtol=2**-10, atol=1e-6), name
    assert mean.summary == Summary(name="run 2")
    assert not mean.activation_ranges


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("config", random_checkpoint(width=8)),
        ("labels", replace(random_checkpoint(), labels=Labels(tuple("abcd"), small_labels(4).colors))),
        ("preprocessing", replace(random_checkpoint(), preprocessing=Preprocessing((0.5,) * 3, (0.5,) * 3))),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused(tmp_path: Path, field: str, other: Checkpoint) -> None:
    files = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    other.save(files[0])
    random_checkpoint().save(files[1])
    result = _average(*files, tmp_path / "mean.safetensors")
    assert isinstance(result.exception, ExportError)
    assert str(result.exception) == f"checkpoint 1 has another {field} than the last one: they have no mean"


def test_one_checkpoint_is_refused(tmp_path: Path) -> None:
    random_checkpoint().save(tmp_path / "a.safetensors")
    result = _average(tmp_path / "a.safetensors", tmp_path / "mean.safetensors")
    assert result.exit_code == 2
    assert "two checkpoints or more" in result.output
    assert not (tmp_path / "mean.safetensors").exists()
