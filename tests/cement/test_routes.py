"""Each kind of opening leaks by its own route, and clefts store cement."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vertseg.cement.analytic import EllipticVertebra, elliptic_site
from vertseg.cement.domain import prepare
from vertseg.cement.injection import inject
from vertseg.cement.openings import body_surface
from vertseg.cement.outside import outside_map
from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.permeability import kozeny_carman
from vertseg.cement.plan import InjectionPlan
from vertseg.cement.routes import ROUTES
from vertseg.errors import ConfigError

NO_VEINS = replace(
    InjectionParameters(), basivertebral_mm=(1e-3, 0.0), segmental_mm=(1e-3, 0.0), occult_gaps=0.0
)


@pytest.mark.parametrize(
    ("make", "route"),
    [
        (EllipticVertebra(endplate_hole=(2.0, 5.0, 6.0)), "D"),
        (EllipticVertebra(cortex_hole=(90.0, 0.0, 6.0)), "C_other"),
        (EllipticVertebra(cortex_hole=(270.0, 0.0, 6.0), lesion=(-10.0, 0.0, 10.0, 10.0, 9.0)), "C_canal"),
    ],
)
def test_a_gap_leaks_by_its_own_route(make, route):
    results = inject([elliptic_site(make, 2.0)] * 3, [InjectionPlan(7.0, "low")] * 3, [1, 2, 3], NO_VEINS)
    total = {r: sum(x.leaked_ml[r] for x in results) for r in ROUTES}
    assert total[route] > 0.15
    assert sum(total.values()) - total[route] < 0.02


def test_whole_bone_without_veins_keeps_its_cement():
    result = inject([elliptic_site(EllipticVertebra(), 2.0)], [InjectionPlan(8.0, "low")], [0], NO_VEINS)[0]
    assert sum(result.leaked_ml.values()) < 1e-3


def test_a_hole_in_the_posterior_wall_raises_canal_leaks_and_not_lowers_all():
    sound = EllipticVertebra(lesion=(-8.0, 0.0, 12.0, 11.0, 10.0))
    holed = replace(sound, cortex_hole=(270.0, 0.0, 6.0))
    n = 10
    plans = [InjectionPlan(5.0, "low")] * n
    without, with_hole = (
        inject([elliptic_site(make, 2.5)] * n, plans, list(range(n))) for make in (sound, holed)
    )
    canal = [sum(r.leaked_ml["C_canal"] + r.leaked_ml["B"] for r in rs) for rs in (without, with_hole)]
    every = [sum(sum(r.leaked_ml.values()) for r in rs) for rs in (without, with_hole)]
    assert canal[1] > 1.5 * canal[0]
    assert every[1] > every[0]
    assert sum(r.any_leak for r in with_hole) >= sum(r.any_leak for r in without)


def test_a_cleft_fills_first():
    make = EllipticVertebra(size_mm=(42.0, 33.0, 18.0), cleft=(4.0, 2.0, 9.0, 7.0, 3.0))
    site = elliptic_site(make, 1.5)
    store = float(site.cleft.sum()) * site.voxel_ml
    result = inject([site], [InjectionPlan(0.9 * store, "medium")], [0], NO_VEINS)[0]
    inside = float(result.filled[site.cleft].sum()) * site.voxel_ml
    assert inside > 0.7 * result.injected_ml


def test_matched_seeds_meet_the_same_patient():
    site = elliptic_site(EllipticVertebra(), 2.0)
    parameters = InjectionParameters()
    one = prepare(site, InjectionPlan(2.0, "low"), 5, parameters)
    other = prepare(site, InjectionPlan(8.0, "high", "bipedicular"), 5, parameters)
    assert [v.radius_mm for v in one.vessels] == [v.radius_mm for v in other.vessels]
    assert all(np.array_equal(a.wall_mm, b.wall_mm) for a, b in zip(one.vessels, other.vessels, strict=True))
    assert torch.equal(one.across, other.across)
    assert one.viscosity_factor == other.viscosity_factor
    assert len(one.tips_mm) == 1
    assert len(other.tips_mm) == 2
    assert torch.allclose(one.source.sum(), torch.tensor(1.0))
    assert torch.allclose(other.source.sum(), torch.tensor(1.0))


def test_two_cannulas_lie_right_and_left_and_one_on_its_side():
    site = elliptic_site(EllipticVertebra(), 2.0)
    still = replace(InjectionParameters(), tip_jitter_mm=0.0)
    middle = torch.nonzero(site.body).float().mean(0)[0] * site.spacing_mm
    both = prepare(site, InjectionPlan(4.0, approach="bipedicular"), 0, still).tips_mm
    left = prepare(site, InjectionPlan(4.0, side="left"), 0, still).tips_mm
    assert both[0, 0] > middle > both[1, 0]
    assert left[0, 0] < middle


def test_veins_stay_where_they_are_on_a_finer_grid():
    coarse, fine = (
        prepare(elliptic_site(EllipticVertebra(), s), InjectionPlan(4.0), 3, InjectionParameters())
        for s in (1.5, 0.75)
    )
    assert len(coarse.vessels) == len(fine.vessels)
    for (
        a,
        b,
    ) in zip(coarse.vessels, fine.vessels, strict=True):
        assert a.radius_mm == b.radius_mm


def test_surface_of_a_cylinder():
    """Elliptic cylinder of 42 x 33 x 24 mm: side by Ramanujan's circumference and two plates."""
    a, b, h = 21.0, 16.5, 24.0
    ring = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    site = elliptic_site(EllipticVertebra(), 1.0)
    bare = replace(site, posterior=torch.zeros_like(site.body))
    area = float(body_surface(bare).area_mm2.sum())
    assert abs(area / (ring * h + 2 * np.pi * a * b) - 1) < 0.1


def test_kozeny_carman_by_hand():
    got = kozeny_carman(torch.tensor([0.10, 0.20, 0.001]), 0.10)
    assert torch.allclose(got, torch.tensor([1.0, (0.8 / 0.9) ** 3 / 2, (0.96 / 0.9) ** 3 * 2.5]), rtol=1e-4)


def test_leaked_cement_is_drawn_outside_with_its_volume():
    make = EllipticVertebra(endplate_hole=(2.0, 5.0, 6.0))
    site = elliptic_site(make, 2.0)
    pad = torch.nn.functional.pad
    site = replace(
        site,
        **{
            name: pad(getattr(site, name), [8, 8, 4, 8, 4, 4])
            for name in (
                "bone_volume",
                "body",
                "posterior",
                "canal",
                "open_cortex",
                "cleft",
                "endplate_break",
            )
        },
    )
    result = inject([site], [InjectionPlan(7.0, "low")], [1])[0]
    maps = outside_map(result, site)
    assert not (maps[:, site.body] > 0).any()
    for i, route in enumerate(ROUTES):
        drawn = float(maps[i].sum()) * site.voxel_ml
        assert drawn == pytest.approx(result.leaked_ml[route], abs=0.01)
    assert maps.sum(0).max() <= 1 + 1e-5


def test_impossible_plans_are_refused():
    with pytest.raises(ConfigError, match="ml of cement"):
        InjectionPlan(0.0)
    with pytest.raises(ConfigError, match="viscosity"):
        InjectionPlan(2.0, "thick")
    with pytest.raises(ConfigError, match="approach"):
        InjectionPlan(2.0, "low", "lateral")
