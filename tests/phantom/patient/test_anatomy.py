"""Drawn patients against published curvature, density and numbering."""

import numpy as np
import pytest

from vertseg.labels import LUMBAR, THORACIC
from vertseg.phantom.patient.anatomy import column_levels, draw_anatomy, trabecular_hu
from vertseg.phantom.patient.variation import Patient
from vertseg.phantom.types import Anatomy, Array, ScanConfig
from vertseg.phantom.vertebra.facets import inferior_facet, superior_facet

HEALTHY = ScanConfig(pathology=0.0)


def lean(axes: Array) -> float:
    return float(np.degrees(np.arctan2(axes[1, 2], axes[2, 2])))


def lordosis(anatomy: Anatomy) -> float:
    t12 = next(s for s in reversed(anatomy.vertebrae) if s.level in THORACIC)
    return lean(anatomy.sacrum_axes) - lean(t12.axes)


def test_same_seed_same_patient() -> None:
    a, b = draw_anatomy(12, HEALTHY), draw_anatomy(12, HEALTHY)
    for s, t in zip(a.vertebrae, b.vertebrae, strict=True):
        assert s.sizes == t.sizes and s.seed == t.seed
        assert np.array_equal(s.centre_mm, t.centre_mm)
    assert a.hu == b.hu and a.trunk == b.trunk


def test_lordosis_lies_between_recumbent_and_standing_means() -> None:
    """T12-S1 36.8 (SD 13.2) recumbent and 49.8 (11.2) degrees standing in 627 volunteers."""
    angles = np.array([lordosis(draw_anatomy(seed, HEALTHY)) for seed in range(60)])
    assert 36.8 < angles.mean() < 52.0
    assert angles.std() == pytest.approx(12.0, abs=4.0)


@pytest.mark.parametrize(
    ("age", "mean", "spread"), [(28.0, 226.0, 44.0), (58.0, 151.0, 41.0), (92.0, 89.0, 38.0)]
)
def test_trabecular_hu_falls_with_age_as_in_20374_adults(age: float, mean: float, spread: float) -> None:
    rng = np.random.default_rng(5)
    hu = np.array([trabecular_hu(Patient(True, age, 1.0, 0.0), rng) for _ in range(2000)])
    assert hu.mean() == pytest.approx(mean, abs=6.0)
    assert hu.std() == pytest.approx(spread, abs=6.0)


def test_facets_of_neighbours_meet() -> None:
    anatomy = draw_anatomy(21, HEALTHY)
    for upper, lower in zip(anatomy.vertebrae[:-1], anatomy.vertebrae[1:], strict=True):
        mine = [upper.axes @ (np.asarray(inferior_facet(upper).centre) * m) for m in ([1, 1, 1], [-1, 1, 1])]
        its = [lower.axes @ (np.asarray(superior_facet(lower).centre) * m) for m in ([1, 1, 1], [-1, 1, 1])]
        middle = upper.centre_mm + np.mean(mine, axis=0)
        assert np.allclose(middle[1:], (lower.centre_mm + np.mean(its, axis=0))[1:], atol=1.0)


def test_columns_keep_the_order_of_levels_and_lack_no_neck() -> None:
    for seed in range(200):
        levels = column_levels(np.random.default_rng(seed))
        assert levels[:7] == (1, 2, 3, 4, 5, 6, 7)
        assert len(levels) in (23, 24, 25)
        assert LUMBAR[3] in levels
