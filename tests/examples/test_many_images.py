from pathlib import Path

import pytest

from app.client import UnexpectedResponseError
from examples.many_images import each


def length(image: Path) -> int:
    if image.stem == "refused":
        raise UnexpectedResponseError("no mask")
    return len(image.read_bytes())


def test_answers_come_in_the_images_order(tmp_path: Path) -> None:
    images = [tmp_path / f"{number}.jpg" for number in range(30)]
    for number, image in enumerate(images):
        image.write_bytes(b"x" * number)
    assert list(each(images, length)) == list(zip(images, range(30), strict=True))


def test_those_that_fail_are_told_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "image.jpg"
    image.write_bytes(b"xx")
    assert list(each([tmp_path / "absent.jpg", image, tmp_path / "refused.jpg"], length)) == [(image, 2)]
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in told] == [str(tmp_path / "absent.jpg"), str(tmp_path / "refused.jpg")]
    assert told[1].endswith("no mask")


def test_few_answers_are_held(tmp_path: Path) -> None:
    asked = []

    def ask(image: Path) -> int:
        asked.append(image)
        return 0

    answers = each([tmp_path / str(number) for number in range(100)], ask)
    next(answers)
    assert len(asked) <= 8
    assert len([*answers]) == 99
