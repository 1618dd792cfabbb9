"""Lines through points of which some lie far off."""

import numpy as np
import pytest

from vertseg.planning.trimmed_fit import trimmed_fit

X = np.linspace(0.0, 10.0, 41)
TERMS = np.stack([np.ones_like(X), X], axis=1)


@pytest.mark.parametrize("off", [30.0, -30.0])
def test_outliers_are_left_out(off: float) -> None:
    values = 2.0 - 0.5 * X
    values[5:12] += off
    assert trimmed_fit(TERMS, values, 0.5, 4) == pytest.approx([2.0, -0.5])


def test_only_those_above_where_one_side_is_asked_for() -> None:
    values = 2.0 - 0.5 * X
    above, below = values.copy(), values.copy()
    above[20] += 30.0
    below[20] -= 30.0
    assert trimmed_fit(TERMS, above, 0.5, 4, both_sides=False) == pytest.approx([2.0, -0.5])
    assert trimmed_fit(TERMS, below, 0.5, 4, both_sides=False)[0] < 1.5
