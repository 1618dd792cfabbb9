"""Repeated injections: the onset of a leak stands for every volume."""

import numpy as np
import pytest

from vertseg.cement.injection import inject
from vertseg.cement.plan import InjectionPlan
from vertseg.labels import LEAK_ROUTES
from vertseg.phantom.crop import draw_patient
from vertseg.phantom.injection_site import injection_site
from vertseg.phantom.leak import leak_array
from vertseg.phantom.leak_draws import LeakDraws, leak_draws, onset_ml


@pytest.mark.parametrize("volume_ml", [1.1, 2.2, 3.0])
def test_the_onset_of_a_larger_injection_tells_a_smaller_one(volume_ml: float) -> None:
    """A smaller injection leaks by exactly the routes whose onset it passes."""
    anatomy, target = draw_patient(900001, np.random.default_rng([900001, 7]), "cpu")
    site = injection_site(anatomy, target)
    plans = [InjectionPlan(v, "low", "bipedicular", "left") for v in (3.5, volume_ml)]
    large, small = inject([site, site], plans, [5, 5])
    onset = onset_ml(large)
    assert ((onset <= volume_ml) == (leak_array(small) > 0)).all()
    assert np.isfinite(onset[LEAK_ROUTES.index("B")])


def test_leaks_by_volume() -> None:
    """Each injection has a volume of its own, or all have one."""
    draws = LeakDraws(np.zeros((2, 2), np.float32), np.array([[1, 2, np.inf, 3]] * 2, np.float32))
    assert draws.leaks(2.0).tolist() == [[1, 1, 0, 0]] * 2
    assert draws.leaks([0.5, 3.0]).tolist() == [[0, 0, 0, 0], [1, 1, 0, 1]]


def test_a_treated_vertebra_is_not_injected() -> None:
    """The first seed whose vertebra holds cement gives no draws."""
    treated = next(
        s
        for s in range(900000, 900200)
        if draw_patient(s, np.random.default_rng([s, 7]), "cpu")[1].cement is not None
    )
    assert leak_draws(treated, 3).onset_ml.shape == (0, len(LEAK_ROUTES))
