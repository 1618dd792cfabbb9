"""Injections simulated in a drawn vertebra: where they leak, at which volume, and what is said without torch."""

from importlib import machinery

import numpy as np
import pytest

from tests.planning.boxed_vertebra import drawn_vertebra, with_wall_hole
from vertseg.inference.options import Plan
from vertseg.labels import LEAK_OUTCOMES
from vertseg.planning import mechanistic as module
from vertseg.planning.mechanistic import MOST_ML, mechanistic, share_of

THIN = Plan(6.0, "low", "unipedicular")
SEEDS = (1, 2)


@pytest.mark.parametrize("turned", [False, True])
def test_a_hole_in_the_wall_leaks_there(turned: bool) -> None:
    """Cement leaves by the hole of 12 x 10 mm, the cortical route, whatever the vertebra's axes in the world."""
    holed, middle_mm = with_wall_hole(drawn_vertebra(turned))
    run = mechanistic(holed, THIN, SEEDS, 2.0).run
    assert run is not None
    assert {leak.route for leak in run.first_leaks} == {"C"}
    own = (np.array([leak.place_mm for leak in run.first_leaks]) - middle_mm) @ holed.axes
    assert (np.abs(own) <= [7.0, 2.0, 6.0]).all()


def test_more_cement_never_leaks_less() -> None:
    run = mechanistic(with_wall_hole(drawn_vertebra())[0], THIN, SEEDS, 2.0).run
    assert run is not None
    for outcome in LEAK_OUTCOMES:
        assert list(run.share_at[outcome]) == sorted(run.share_at[outcome])
        assert run.share_at["any"] >= run.share_at[outcome]
    at = run.share_at["any"][run.volumes_ml.index(THIN.volume_ml)]
    assert at == run.shares["any"].share
    assert run.first_leak_ml is not None
    median, low, high = run.first_leak_ml
    assert 0 < low <= median <= high <= MOST_ML
    assert low == run.first_leaks[0].volume_ml
    assert [leak.volume_ml for leak in run.first_leaks] == sorted(leak.volume_ml for leak in run.first_leaks)


def test_what_a_plan_leaves_open_is_usual() -> None:
    run = mechanistic(drawn_vertebra(), Plan(viscosity="high"), (5,), 2.0).run
    assert run is not None
    assert (run.volume_ml, run.viscosity, run.approach) == (4.0, "high", "unipedicular")


def test_few_runs_have_wide_intervals() -> None:
    """Jeffreys intervals by the beta distribution: 4 of 8 is 0.198 to 0.802; none and all end at 0 and 1."""
    middle = share_of(4, 8)
    assert middle.share == 0.5
    assert (middle.low, middle.high) == (pytest.approx(0.199, abs=2e-3), pytest.approx(0.801, abs=2e-3))
    assert share_of(0, 8).low == 0.0
    assert share_of(0, 8).high == pytest.approx(0.262, abs=2e-3)
    assert share_of(8, 8).high == 1.0


def test_without_torch_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(module, "find_spec", absent)
    told = mechanistic(drawn_vertebra(), THIN)
    assert told.run is None
    assert told.not_computed == "needs_torch"


def test_without_a_body_there_is_nothing_to_inject() -> None:
    vertebra = drawn_vertebra()
    vertebra.body[:] = False
    assert mechanistic(vertebra, THIN).not_computed == "no_body"
