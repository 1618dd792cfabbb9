"""Votes in heaps of known place and width, and small neighbours whose heaps run together."""

import numpy as np
import pytest

from tests.inference.drawn import draw_spine, perfect
from vertseg.inference.instances import find_instances
from vertseg.inference.votes import _two_heaps
from vertseg.labels import LocateClass, level_number


def test_two_heaps_are_parted_between_their_means() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal([0, 0, 0], 1, (300, 3))
    b = rng.normal([0, 6, 8], 1, (200, 3))
    heaps, apart = _two_heaps(np.concatenate([a, b]))
    nearest = sorted(heaps.tolist(), key=lambda h: h[2])
    np.testing.assert_allclose(nearest, [[0, 0, 0], [0, 6, 8]], atol=0.25)
    assert apart == pytest.approx(10, rel=0.1)


def test_one_heap_is_known_by_its_width() -> None:
    rng = np.random.default_rng(4)
    _, normal = _two_heaps(rng.normal(0, [1, 1, 3], (4000, 3)))
    assert normal == pytest.approx(2.65, abs=0.15)
    uniform = np.stack([np.zeros(1000), np.zeros(1000), np.linspace(0, 9, 1000)], axis=1)
    assert _two_heaps(uniform)[1] == pytest.approx(np.sqrt(12), abs=0.05)


def test_votes_drawn_to_the_neighbours_still_give_each_small_vertebra() -> None:
    spine = draw_spine("C6 C7 T1 T2 T3")
    located = perfect(spine)
    rng = np.random.default_rng(7)
    c7, t1 = level_number("C7"), level_number("T1")
    middle = (spine.centres_mm[c7] + spine.centres_mm[t1]) / 2
    for level in spine.centres_mm:
        here = spine.level == level
        posterior = here & (spine.tissue == LocateClass.POSTERIOR)
        body = here & (spine.tissue == LocateClass.BODY)
        if level in (c7, t1):
            for part, pull in ((posterior, 0.8), (body, 0.2)):
                at = np.argwhere(part)
                aim = spine.centres_mm[level] + pull * (middle - spine.centres_mm[level])
                located.offset_mm[(slice(None), *at.T)] = (aim - spine.grid.world(at)).T
        located.offset_mm[:, here] += rng.normal(0, 2.0, (3, here.sum()))
    found = sorted(find_instances(located), key=lambda c: -c.centre_mm[2])
    bodies = [c for c in found if c.body_ml > 1]
    assert len(bodies) == 5
    for instance, level in zip(bodies, spine.centres_mm, strict=True):
        assert np.linalg.norm(instance.centre_mm - spine.centres_mm[level]) < 8
