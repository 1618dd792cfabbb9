"""The canal of a drawn vertebra."""

import numpy as np
import pytest

from tests.planning.drawn_vertebra import CANAL_DEPTH_MM, CANAL_HALF_MM, WALL_MM, drawn, places
from vertseg.planning.keep_out import keep_out


def true_canal() -> np.ndarray:
    x, y, z = places()
    return (np.abs(x) < CANAL_HALF_MM) & (y < WALL_MM) & (y > WALL_MM - CANAL_DEPTH_MM) & (np.abs(z - 3) < 6)


def test_canal_between_pedicles_is_the_drawn_one() -> None:
    vertebra = drawn()
    found = keep_out(vertebra)
    assert found is not None
    at_pedicles = np.abs(places()[2] - 3) < 6
    truth = true_canal()
    assert np.count_nonzero(found.mask & truth) / np.count_nonzero(truth) > 0.99
    assert np.count_nonzero(found.mask & at_pedicles & ~truth) / np.count_nonzero(truth) < 0.01
    assert found.closed > 0.9


def test_canal_goes_on_where_no_bone_closes_it() -> None:
    found = keep_out(drawn())
    assert found is not None
    x, y, z = places()
    below = (
        (np.abs(x) < CANAL_HALF_MM - 1) & (y < WALL_MM - 1) & (y > WALL_MM - CANAL_DEPTH_MM + 1) & (z == -12)
    )
    assert found.mask[below].mean() > 0.95


def test_canal_without_a_lamina_is_kept_out() -> None:
    vertebra = drawn()
    vertebra.posterior[np.abs(places()[0]) < CANAL_HALF_MM] = False
    vertebra.levels[~(vertebra.body | vertebra.posterior)] = 0
    found = keep_out(vertebra)
    assert found is not None
    front_half = true_canal() & (places()[1] > WALL_MM - CANAL_DEPTH_MM / 2)
    assert found.mask[front_half].mean() > 0.97


def test_canal_never_holds_bone() -> None:
    vertebra = drawn(toe_deg=20.0)
    found = keep_out(vertebra)
    assert found is not None
    assert not (found.mask & (vertebra.body | vertebra.posterior)).any()


def test_no_body_no_canal() -> None:
    vertebra = drawn()
    vertebra.body[:] = False
    assert keep_out(vertebra) is None


def test_wall_is_where_it_was_drawn() -> None:
    found = keep_out(drawn())
    assert found is not None
    assert places()[1][0, round(found.wall_vox), 0] == pytest.approx(WALL_MM, abs=1.0)
