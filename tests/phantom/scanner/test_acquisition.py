"""Where the edge of a bone appears on a scan."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from vertseg.phantom.scanner.acquisition import APPARENT_EDGE

STEP_MM = 0.02


def half_way_mark(fwhm_mm: float, outside_hu: float) -> float:
    """How far outside of its surface (mm) a blurred cortex of 0.45 mm falls half-way from its peak to the outside."""
    x = np.arange(-20.0, 20.0, STEP_MM)
    hu = np.where(x > 0, outside_hu, np.where(x > -0.45, 1000.0, 165.0))
    seen = gaussian_filter1d(hu, fwhm_mm / 2.355 / STEP_MM)
    peak = int(seen.argmax())
    beyond = (x > x[peak]) & (seen < 0.5 * (outside_hu + seen[peak]))
    return float(x[np.argmax(beyond)])


@pytest.mark.parametrize(
    ("fwhm_mm", "fat_mm", "muscle_mm"), [(1.5, 0.44, 0.50), (2.0, 0.58, 0.70), (3.0, 0.84, 1.06)]
)
def test_the_apparent_edge_is_that_of_a_blurred_cortex(
    fwhm_mm: float, fat_mm: float, muscle_mm: float
) -> None:
    assert half_way_mark(fwhm_mm, -100.0) == pytest.approx(fat_mm, abs=0.015)
    assert half_way_mark(fwhm_mm, 50.0) == pytest.approx(muscle_mm, abs=0.015)
    between = half_way_mark(fwhm_mm, -100.0), half_way_mark(fwhm_mm, 50.0)
    assert between[0] - 0.03 < APPARENT_EDGE * fwhm_mm < between[1]
