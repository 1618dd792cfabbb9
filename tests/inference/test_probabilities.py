"""Probabilities of findings beside their masks, on the scan's own grid."""

import numpy as np

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg import PredictOptions, predict
from vertseg.labels import FINDINGS, level_number

NAMES = "L1 L2 L3"
SPINE = draw_spine(NAMES)


def lesion() -> np.ndarray:
    """A ball of 7 mm radius in the body of L2."""
    points = SPINE.grid.world(np.moveaxis(np.indices(SPINE.grid.shape), 0, -1))
    near = np.linalg.norm(points - SPINE.centres_mm[level_number("L2")], axis=-1) < 7
    return np.asarray(near & (SPINE.tissue == 1))


def test_a_mask_is_where_the_probability_exceeds_its_threshold() -> None:
    hu = hu_of(SPINE, lesion()).oriented("LPI")
    options = PredictOptions(probabilities=True)
    found = predict(hu, options=options, engine=Oracle(NAMES.split()))
    assert found.probabilities is not None and list(found.probabilities) == list(FINDINGS)
    probability, mask = found.probabilities["lytic_lesion"], found.masks["lytic_lesion"]
    assert probability.array.dtype == np.float16 and probability.grid.matches(hu.grid)
    np.testing.assert_array_equal(probability.array > options.finding_thresholds[0], mask.array > 0)
    assert (mask.array > 0).any() and float(probability.array.max()) <= 1
    assert not found.probabilities["cement"].array.any()


def test_without_being_asked_none_are_kept() -> None:
    assert predict(hu_of(SPINE), engine=Oracle(NAMES.split())).probabilities is None
