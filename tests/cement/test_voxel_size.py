"""A finer grid finds the same body, openings and leaks."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from vertseg.cement.analytic import EllipticVertebra, elliptic_site
from vertseg.cement.domain import Vertebra, prepare
from vertseg.cement.injection import inject
from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.routes import DISC
from vertseg.cement.site import beyond_mm

BREAK = EllipticVertebra(size_mm=(40.0, 32.0, 17.0), endplate_hole=(2.0, 5.0, 3.1))
CRACK = EllipticVertebra(size_mm=(44.0, 34.0, 20.7), cortex_hole=(80.0, 0.1, 3.4))
CLEFT = EllipticVertebra(
    size_mm=(42.0, 33.0, 15.9), cleft=(4.0, 3.0, 12.0, 8.0, 2.6), endplate_hole=(0.0, 4.0, 3.6)
)


def _prepared(make: EllipticVertebra, spacing_mm: float) -> Vertebra:
    return prepare(elliptic_site(make, spacing_mm), InjectionPlan(4.0), 3, InjectionParameters())


def _open_mm2(vertebra: Vertebra) -> float:
    """Area of cortex and endplate that is gone."""
    return float(vertebra.openings.section_mm2[len(vertebra.vessels) :].sum())


@pytest.mark.parametrize("make", [BREAK, CRACK, CLEFT])
def test_pores_and_open_area_do_not_hang_on_the_voxel(make):
    coarse, fine = _prepared(make, 1.5), _prepared(make, 0.75)
    assert float(coarse.capacity_ml.sum()) == pytest.approx(float(fine.capacity_ml.sum()), rel=0.015)
    assert _open_mm2(coarse) == pytest.approx(_open_mm2(fine), rel=0.07)


@pytest.mark.parametrize("spacing_mm", [0.75, 1.0, 1.5])
def test_a_round_break_of_the_endplate_has_its_true_area(spacing_mm):
    assert _open_mm2(_prepared(BREAK, spacing_mm)) == pytest.approx(np.pi * 3.1**2, rel=0.04)


@pytest.mark.parametrize("make", [BREAK, CLEFT])
def test_the_tip_stays_where_it_is(make):
    places = []
    for spacing_mm in (1.5, 0.75):
        middle = torch.nonzero(elliptic_site(make, spacing_mm).body).float().mean(0) * spacing_mm
        places.append(_prepared(make, spacing_mm).tips_mm[0] - middle)
    assert float((places[0] - places[1]).norm()) < 0.75


def test_bone_before_an_opening_resists_by_half_a_voxel():
    """Area x permeability / half a voxel, for one whole voxel of a flat endplate's break."""
    make = EllipticVertebra(size_mm=(42.0, 33.0, 19.5), endplate_hole=(0.0, 0.0, 5.0))
    vertebra = _prepared(make, 1.5)
    openings = vertebra.openings
    one = int(torch.nonzero((openings.route == DISC) & (openings.section_mm2 > 2.24))[0])
    contact = int(torch.nonzero(openings.opening == one)[0])
    k = float(vertebra.along[tuple(openings.voxel[contact])])
    assert float(openings.section_mm2[one]) == pytest.approx(2.25, rel=1e-3)
    assert float(vertebra.entrance_m3[contact]) == pytest.approx(2.25e-6 * k / 0.75e-3, rel=0.02)


def test_distance_beyond_a_mask_counts_from_its_face():
    for spacing_mm in (0.5, 1.0):
        n = round(10 / spacing_mm)
        mask = torch.zeros(n, n, n, dtype=torch.bool)
        mask[: n // 2] = True
        along = beyond_mm(mask, 3.0, spacing_mm)[:, 0, 0]
        expected = (torch.arange(n) + 0.5) * spacing_mm - 5.0
        near = expected <= 3.0
        assert torch.allclose(along[near], expected[near].clamp_min(0.0))
        assert torch.isinf(along[~near]).all()


@pytest.mark.parametrize(("make", "route", "seed"), [(BREAK, "D", 1), (BREAK, "D", 4), (CRACK, "C_other", 1)])
def test_leaks_through_a_gap_agree_between_grids(make, route, seed):
    plan = InjectionPlan(6.0, "low")
    coarse, fine = (inject([elliptic_site(make, s)], [plan], [seed])[0].leaked_ml for s in (2.0, 1.0))
    assert fine[route] > 0.2
    assert coarse[route] == pytest.approx(fine[route], rel=0.25)


@pytest.mark.slow
def test_halving_the_voxel_changes_a_route_in_fewer_than_one_case_in_twenty():
    path = Path(__file__).parents[2] / "scripts" / "bench_injection.py"
    spec = importlib.util.spec_from_file_location("bench_injection", path)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    rng = np.random.default_rng(2024)
    found = bench.halving([bench.draw_vertebra(rng) for _ in range(100)], bench.HALVING_ML)
    assert found["share_of_cases"] < 0.05
