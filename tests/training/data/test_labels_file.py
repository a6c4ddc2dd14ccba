from pathlib import Path

import pytest

from model.labels import Labels
from training.data.labels_file import load_labels
from training.errors import ConfigError

LABELS = Labels(("background", "leaf"), ((0, 0, 0), (0, 160, 60)))

TOML = """
[[classes]]
name = "background"
color = [0, 0, 0]

[[classes]]
name = "leaf"
color = [0, 160, 60]
"""

YAML = """
classes:
  - {name: background, color: [0, 0, 0]}
  - {name: leaf, color: [0, 160, 60]}
"""

JSON = '{"classes": [{"name": "background", "color": [0, 0, 0]}, {"name": "leaf", "color": [0, 160, 60]}]}'


def _write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("name", "text"), [("own.toml", TOML), ("own.yaml", YAML), ("own.yml", YAML), ("own.json", JSON)]
)
def test_a_table_of_classes_is_read_by_its_suffix(name: str, text: str, tmp_path: Path) -> None:
    assert load_labels(_write(tmp_path, name, text)) == LABELS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("name", "text"), [("own.TOML", TOML), ("own.YAML", YAML), ("own.JSON", JSON)])
def test_a_table_is_read_as_other_systems_write_it(name: str, text: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert load_labels(tmp_path / name) == LABELS


def test_the_colour_of_void_may_be_ones_own(tmp_path: Path) -> None:
    labels = load_labels(_write(tmp_path, "own.toml", f"void_color = [255, 0, 255]\n{TOML}"))
    assert labels.void_color == (255, 0, 255)
    assert labels.names == LABELS.names


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('classes = [{name = "leaf"}]', r"classes\.0\.color: Field required"),
        ('classes = [{name = "leaf", color = [1, 2]}]', r"classes\.0\.color"),
        ('classes = [{name = "leaf", color = [1, 2, 3], colour = 4}]', r"classes\.0\.colour: Extra inputs"),
        ('names = ["leaf"]', "classes: Field required"),
        ("classes = []", "1 to 255 classes, not 0"),
        ('classes = [{name = "leaf", color = [1, 2, 256]}]', r"\(1, 2, 256\) is not a colour"),
        (TOML + TOML, "class names must all be different: background occurs 2 times"),
        ("classes = [", "cannot be parsed"),
    ],
)
def test_what_is_wrong_is_said_with_the_files_name(text: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"labels file .*own\.toml:? .*{fault}"):
        load_labels(_write(tmp_path, "own.toml", text))


@pytest.mark.parametrize(("name", "text"), [("own.json", "{"), ("own.yaml", "a: [b")])
def test_a_damaged_file_of_another_kind_is_refused(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name} cannot be parsed"):
        load_labels(_write(tmp_path, name, text))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load_labels(tmp_path / "absent.toml")
