"""The forest plot: an image of the table that grows with its rows."""

import matplotlib.image
import pytest

from vertseg.cement.validation.forest import draw_forest
from vertseg.cement.validation.published import FURTHER_ROWS, MAIN_ROWS
from vertseg.cement.validation.statistics import Estimate
from vertseg.cement.validation.table import Row
from vertseg.errors import OutputError


def row(published, value):
    return Row(published, Estimate(value, 0.8 * value, 1.2 * value, 100), True, True, "")


def test_the_plot_is_taller_with_more_rows_and_draws_in_every_colour(tmp_path):
    few = [row(p, 0.5) for p in MAIN_ROWS]
    more = [row(p, 0.5) for p in (*MAIN_ROWS, *FURTHER_ROWS)]
    draw_forest(few, tmp_path / "few.png")
    draw_forest(more, tmp_path / "more.png")
    small, large = (matplotlib.image.imread(tmp_path / f"{n}.png") for n in ("few", "more"))
    assert large.shape[0] > 1.5 * small.shape[0] and large.shape[1] == small.shape[1]
    green = (small[..., 1] > small[..., 0] + 0.2) & (small[..., 1] > small[..., 2] + 0.2)
    assert green.sum() > 100


def test_a_folder_in_its_place_is_told(tmp_path):
    (tmp_path / "plot.png").mkdir()
    with pytest.raises(OutputError, match="could not be written"):
        draw_forest([row(MAIN_ROWS[0], 2.0)], tmp_path / "plot.png")
