"""Tissues found by the labels alone, in drawn scans whose HU are known."""

import numpy as np
import pytest
from scipy import ndimage

from tests.inference.drawn import DrawnSpine, draw_spine
from vertseg import Volume
from vertseg.errors import InputError
from vertseg.evaluation.appearance import TISSUES, Samples, compare, overlap, tissue_samples
from vertseg.labels import LocateClass, level_number

BODY, POSTERIOR, MUSCLE, FAT = 150.0, 500.0, 50.0, -100.0


def scene(turn: np.ndarray | None = None) -> tuple[DrawnSpine, np.ndarray]:
    """Three vertebrae in muscle, with fat more than 55 mm beside them; bodies have a bright surface."""
    spine = draw_spine("T12 L1 L2 L3 L4", turn=turn)
    hu = np.full(spine.grid.shape, MUSCLE)
    hu[spine.tissue == LocateClass.POSTERIOR] = POSTERIOR
    body = spine.tissue == LocateClass.BODY
    hu[body] = 300.0
    hu[ndimage.binary_erosion(spine.level > 0) & body] = BODY
    middle = spine.grid.world(np.moveaxis(np.indices(spine.grid.shape), 0, -1)) @ (
        np.eye(3) if turn is None else turn
    )
    hu[(np.abs(middle[..., 0]) > 50) & (spine.level == 0)] = FAT
    return spine, hu


def samples(spine: DrawnSpine, hu: np.ndarray, sick: np.ndarray | None = None) -> Samples:
    affine = spine.grid.affine
    return tissue_samples(Volume(hu.astype(np.float32), affine), Volume(spine.level, affine), sick)


@pytest.mark.parametrize("degrees", [0.0, 12.0])
def test_tissues_are_found_by_the_labels_alone(degrees: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    found = samples(*scene(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])))
    assert np.median(found["body"]) == BODY and (found["body"] == BODY).mean() > 0.9
    assert (found["cortex"] >= 300).all() and np.median(found["cortex"]) == 300
    assert (found["muscle"] == MUSCLE).all() and (found["fat"] == FAT).all()
    assert all(found[name].size > 300 for name in TISSUES)


def test_what_is_sick_is_left_out_of_the_bone() -> None:
    spine, hu = scene()
    sick = spine.level == level_number("L2")
    hu[sick] = 20.0
    assert (samples(spine, hu)["body"] == 20).any()
    found = samples(spine, hu, sick)
    assert not (found["body"] == 20).any() and not (found["cortex"] == 20).any()


def test_a_scan_without_lumbar_vertebrae_is_refused() -> None:
    spine = draw_spine("T8 T9 T10")
    with pytest.raises(InputError, match="no lumbar vertebra whole"):
        samples(spine, np.zeros(spine.grid.shape))


def test_overlap_is_the_shared_area(rng: np.random.Generator) -> None:
    a = rng.normal(0, 30, 40_000).astype(np.float32)
    assert overlap(a, a, 10.0) == pytest.approx(1.0)
    assert overlap(a, a + 1000, 10.0) == 0.0
    # Two equal normal densities a standard deviation apart share 2 Phi(-1/2) = 0.617 of their area.
    other = rng.normal(30, 30, 40_000).astype(np.float32)
    assert overlap(a, other, 5.0) == pytest.approx(0.617, abs=0.015)


def test_a_shift_between_patients_is_told_apart_from_another_shape(rng: np.random.Generator) -> None:
    real = {name: rng.normal(100, 20, 20_000).astype(np.float32) for name in TISSUES}
    brighter = {name: rng.normal(160, 20, 20_000).astype(np.float32) for name in TISSUES}
    wider = {name: rng.normal(100, 60, 20_000).astype(np.float32) for name in TISSUES}
    shifted, spread = compare(real, [brighter])["muscle"], compare(real, [wider])["muscle"]
    assert shifted["overlap"] < 0.2 and shifted["overlap_centred"] > 0.95
    assert spread["overlap_centred"] == pytest.approx(spread["overlap"], abs=0.03) and spread["overlap"] < 0.6
    assert shifted["real_rank"] == 0.0 and shifted["real"]["median"] == pytest.approx(100, abs=1)
    assert shifted["real"]["iqr"] == pytest.approx(2 * 0.6745 * 20, abs=1)
