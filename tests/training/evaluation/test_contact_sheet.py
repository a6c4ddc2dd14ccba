import numpy as np
import pytest
from PIL import Image

from model.labels import VOC, Labels
from tests.training.voc_folder import halves
from training.evaluation.contact_sheet import draw_sheet
from training.evaluation.panels import Panel, mask_panel


def _plain(height: int, width: int, grey: int, caption: str = "") -> Panel:
    return Panel(Image.new("RGB", (width, height), (grey, grey, grey)), caption)


def _rows_with(sheet: Image.Image, color: tuple[int, int, int]) -> list[int]:
    found: list[int] = np.flatnonzero((np.asarray(sheet) == color).all(axis=2).any(axis=1)).tolist()
    return found


def test_panels_of_different_sizes_stand_in_the_middle_of_their_cells() -> None:
    rows = [[_plain(10, 30, 1), _plain(20, 40, 2)], [_plain(12, 20, 3), _plain(6, 40, 4)]]
    sheet = np.asarray(draw_sheet(rows, VOC))
    assert sheet.shape == (8 + 20 + 8 + 12 + 8, 8 + 30 + 8 + 40 + 8, 3)
    expected = np.full_like(sheet, 255)
    expected[8 + 5 : 8 + 15, 8:38] = 1
    expected[8:28, 46:86] = 2
    expected[36:48, 8 + 5 : 8 + 25] = 3
    expected[36 + 3 : 36 + 9, 46:86] = 4
    np.testing.assert_array_equal(sheet, expected)


def test_a_caption_is_written_below_its_panel_and_shortened_to_its_column() -> None:
    sheet = np.array(draw_sheet([[_plain(10, 60, 255, "a name that is far too long"), _plain(10, 60, 255)]], VOC))
    assert sheet.shape == (8 + 10 + 20 + 8, 8 + 60 + 8 + 60 + 8, 3)
    assert (sheet[18:38, 8:68] < 128).any()
    sheet[18:38, 8:68] = 255
    assert (sheet == 255).all()


def test_the_legend_has_a_swatch_for_each_class_shown_and_for_void() -> None:
    panels = [mask_panel(halves(0, 8, 40, 200), VOC, (40, 200)), mask_panel(halves(8, 255, 40, 200), VOC, (40, 200))]
    sheet = draw_sheet([panels], VOC)
    for index in (0, 8, 255):
        color = VOC.colors[index] if index != 255 else VOC.void_color
        assert any(row >= 56 for row in _rows_with(sheet, color)), index
    assert not _rows_with(sheet, VOC.colors[15])
    assert sheet.height == 8 + 40 + 8 + 20 + 8


def test_a_long_legend_goes_on_in_further_lines() -> None:
    everything = np.arange(21, dtype=np.uint8).reshape(3, 7).repeat(40, axis=0).repeat(40, axis=1)
    sheet = draw_sheet([[mask_panel(everything, VOC, (120, 280))]], VOC)
    assert sheet.width == 8 + 280 + 8
    lines = (sheet.height - 8 - 120 - 8 - 8) / 20
    assert lines == int(lines) > 4
    for color in VOC.colors:
        assert any(row >= 136 for row in _rows_with(sheet, color))


def test_a_legend_wider_than_the_panels_widens_the_sheet() -> None:
    sheet = draw_sheet([[mask_panel(np.full((5, 5), 11, np.uint8), VOC, (5, 5))]], VOC)
    assert sheet.width > 90
    assert any(row >= 21 for row in _rows_with(sheet, VOC.colors[11]))


@pytest.mark.parametrize(("short", "full"), [(8, 26), (26, 8)])
def test_any_row_may_be_shorter_than_another(short: int, full: int) -> None:
    rows = {short: [_plain(10, 30, 3)], full: [_plain(10, 30, 1), _plain(10, 40, 2)]}
    sheet = np.asarray(draw_sheet([rows[top] for top in sorted(rows)], VOC))
    assert sheet.shape == (8 + 10 + 8 + 10 + 8, 8 + 30 + 8 + 40 + 8, 3)
    assert (sheet[short : short + 10, 8:38] == 3).all()
    assert (sheet[short : short + 10, 38:] == 255).all()
    assert (sheet[full : full + 10, 46:86] == 2).all()


def test_a_heading_has_a_line_of_its_own_from_the_left_and_may_be_the_widest() -> None:
    sheet = np.array(draw_sheet([[_plain(10, 30, 1)], "a heading", [_plain(10, 30, 2)]], VOC))
    assert sheet.shape[0] == 8 + 10 + 8 + 20 + 8 + 10 + 8
    assert sheet.shape[1] > 8 + 30 + 8
    heading = sheet[26:46]
    assert (heading[:, 8:14] < 128).any()
    assert (heading[:, 38:] < 128).any()
    heading[:] = 255
    expected = np.full_like(sheet, 255)
    expected[8:18, 8:38] = 1
    expected[54:64, 8:38] = 2
    np.testing.assert_array_equal(sheet, expected)


def test_the_legend_tells_what_other_colours_mean_each_once() -> None:
    meanings = {"right": (1, 2, 3), "wrong": (4, 5, 6)}
    panels = [Panel(Image.new("RGB", (300, 10)), meanings=meanings)] * 2
    legend = np.asarray(draw_sheet([panels], VOC))[26:46]
    lefts = [np.flatnonzero((legend == color).all(axis=2).any(axis=0)) for color in meanings.values()]
    assert [len(columns) for columns in lefts] == [13, 13]  # one swatch of 15 pixels with its outline
    assert lefts[0].max() < lefts[1].min()


def test_a_class_that_is_named_like_another_meaning_stays_in_the_legend() -> None:
    labels = Labels(("right", "wrong"), ((1, 2, 3), (4, 5, 6)))
    panels = [Panel(Image.new("RGB", (400, 10)), "", frozenset({0, 1}), {"right": (7, 8, 9)})]
    sheet = draw_sheet([panels], labels)
    assert all(_rows_with(sheet, color) for color in ((1, 2, 3), (4, 5, 6), (7, 8, 9)))


def test_the_legend_is_as_wide_as_the_panels_below_a_short_heading() -> None:
    sheet = draw_sheet(["best", [mask_panel(halves(0, 8, 40, 400), VOC, (40, 400))]], VOC)
    assert sheet.size == (8 + 400 + 8, 8 + 20 + 8 + 40 + 8 + 20 + 8)
