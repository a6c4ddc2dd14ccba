from pathlib import Path

import pytest

from model.networks import Architecture
from training.config import TrainConfig
from training.config_file import load_config
from training.errors import ConfigError
from training.recipes import RECIPES, recipe_file


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("run.steps=0", "steps"),
        ("data.crop_size=0", "crop_size"),
        ("data.crop_size=100", "crop_size"),
        ("data.min_scale=0.0", "scale"),
        ("data.min_scale=2.0", "scale"),
        ("data.color_jitter=1.0", "color_jitter"),
        ("data.color_jitter=-0.1", "color_jitter"),
        ("data.balance=1.5", "balance"),
        ("data.workers=-1", "workers"),
        ("data.small_images=shrink", "data.small_images"),
        ("data.sources=[{root='a', per_batch=0}]", "per_batch"),
        ("data.sources=[{root='a', labelled=false}]", "nothing to learn"),
        ("optimizer.name=lion", "optimizer.name"),
        ("optimizer.lr_schedule=cliff", "optimizer.lr_schedule"),
        ("optimizer.learning_rate=0", "learning_rate"),
        ("optimizer.learning_rate=nan", "learning_rate"),
        ("optimizer.ema_decay=1.0", "ema_decay"),
        ("optimizer.ema_decay=-0.1", "ema_decay"),
        ("optimizer.frozen_stages=6", "frozen_stages"),
        ("optimizer.clip_norm=-1", "clip_norm"),
        ("loss.pixel_stride=0", "pixel_stride"),
        ("loss.ohem_fraction=0", "ohem_fraction"),
        ("loss.distillation=-1", "distillation"),
        ("loss.lovasz=-1", "lovasz"),
        ("loss.auxiliary=-1", "auxiliary"),
        ("run.log_every=0", "log_every"),
        ("run.save_every=0", "save_every"),
        ("run.max_minutes=-1", "max_minutes"),
        ("run.steps=many", "run.steps"),
        ("run.stepz=3", "run.stepz"),
        ("runs.steps=3", "runs"),
        ("network.width=0", "width"),
        ("network.architecture=unet", "network.architecture"),
        ("steps=3", "section.name=value"),
        ("run.steps", "section.name=value"),
        ("run.steps.more=3", "steps is not a section"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(setting: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_config(None, [setting])


@pytest.mark.parametrize("name", ["2024-05-01", "2024", "7.5", "true", "[1]"])
def test_a_path_may_look_like_a_date_or_a_number(name: str) -> None:
    names = ("data.folder", "data.labels", "start.checkpoint", "data.validation.root", "data.validation.soft_labels")
    config = load_config(None, [f"{setting}={name}" for setting in names])
    assert config.data.folder == config.data.labels == config.start.checkpoint == Path(name)
    assert config.data.validation is not None
    assert config.data.validation.root == config.data.validation.soft_labels == Path(name)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"run\.stepz.*optimizer|optimizer.*run\.stepz"):
        load_config(None, ["run.stepz=3", "optimizer.momentum=2"])


_TOML = """
[network]
architecture = "fcn16s"
[run]
steps = 7
[[data.sources]]
root = "here"
per_batch = 3
"""
_YAML = """
network: {architecture: fcn16s}
run:
  steps: 7
data:
  sources:
    - root: here
      per_batch: 3
"""


@pytest.mark.parametrize(("name", "text"), [("a.toml", _TOML), ("a.yaml", _YAML), ("a.yml", _YAML)])
def test_toml_and_yaml_say_the_same(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    config = load_config(tmp_path / name)
    assert config.network.architecture is Architecture.FCN16S
    assert not config.network.learned_upsampling
    assert config.run.steps == 7
    assert config.data.sources[0].root == Path("here")
    assert config.data.sources[0].per_batch == 3
    assert config.optimizer == TrainConfig().optimizer


def test_later_overrides_win_over_earlier_ones_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(_TOML)
    config = load_config(tmp_path / "a.toml", ["run.steps=8", "run.steps=9", "optimizer.name=adamw", "run.seed = 4"])
    assert config.run.steps == 9
    assert config.run.seed == 4
    assert config.optimizer.name == "adamw"
    assert config.data.sources[0].root == Path("here")


@pytest.mark.parametrize(("name", "text"), [("a.toml", "= nothing"), ("a.yaml", "a: [1"), ("a.yaml", "- 1")])
def test_a_file_that_is_no_configuration_is_named(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=name):
        load_config(tmp_path / name)
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_config(tmp_path / "absent.toml")


def test_a_document_gives_the_configuration_back() -> None:
    config = load_config(
        None, ["data.sources=[{root='a', soft_labels='b', labelled=false}]", "loss.ohem_fraction=0.25"]
    )
    assert TrainConfig.from_document(config.document()) == config


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_that_ships_can_be_used(name: str) -> None:
    file = recipe_file(name)
    assert file is not None
    assert load_config(file) != TrainConfig()


def test_the_recipes_are_the_four_there_are() -> None:
    assert RECIPES == ("book", "cpu", "finetune", "voc-gpu")
