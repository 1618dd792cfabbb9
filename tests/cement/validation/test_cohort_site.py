"""Sites of the cohort: what the description asks for is there, in its place, and nothing else."""

from dataclasses import replace

import pytest
import torch

from vertseg.cement.plan import InjectionPlan
from vertseg.cement.validation.cohort_mix import TreatedVertebra
from vertseg.cement.validation.cohort_site import VISIBLE_MM2, read_site, site_of
from vertseg.labels import LEVEL_NUMBERS

HEALTHY = TreatedVertebra(
    0, 0, "osteoporotic", LEVEL_NUMBERS["L1"], 75.0, 0.0, "wedge", False, 0, "", "", 0.5, False, False, 2.7,
    InjectionPlan(4.0), anatomy_seed=11, seed=5,
)  # fmt: skip


def test_an_intact_vertebra_has_no_opening_and_an_adult_size():
    site = site_of(HEALTHY)
    seen = read_site(site)
    assert (seen.open_mm2, seen.wall_mm2, seen.endplate_mm2, seen.cleft_ml) == (0, 0, 0, 0)
    # 42 x 34 x 27 mm with a superelliptic section, living height.
    assert 20 < seen.body_ml < 40
    assert site.lesion is None


def test_bone_share_is_that_of_the_asked_density():
    site = site_of(HEALTHY)
    inside = site.body & (site.bone_volume > 0)
    # 75 HU over 1400 HU of a trabecula, a little more near the endplates.
    assert float(site.bone_volume[inside].median()) == pytest.approx(75 / 1400, rel=0.15)


@pytest.mark.parametrize("deformity", ["wedge", "biconcave", "crush"])
def test_collapse_takes_volume_from_the_body(deformity):
    whole = read_site(site_of(HEALTHY)).body_ml
    half = read_site(site_of(replace(HEALTHY, height_loss=0.5, deformity=deformity))).body_ml
    assert 0.35 * whole < half < 0.85 * whole


@pytest.mark.parametrize("side", [1, -1])
def test_an_endplate_crack_lies_on_the_asked_side(side):
    site = site_of(replace(HEALTHY, endplate_break=side))
    z = torch.nonzero(site.endplate_break)[:, 2].float() - torch.nonzero(site.body)[:, 2].float().mean()
    assert len(z) and (torch.sign(z) == side).all()
    assert read_site(site).endplate_mm2 > 0


def test_a_back_wall_gap_is_a_wall_defect_and_a_front_one_is_not():
    seeds = range(6)
    back = [read_site(site_of(replace(HEALTHY, wall_break="back", seed=s))) for s in seeds]
    front = [read_site(site_of(replace(HEALTHY, wall_break="front", seed=s))) for s in seeds]
    assert sum(seen.wall_mm2 >= VISIBLE_MM2 for seen in back) >= 4
    assert sum(seen.open_mm2 >= VISIBLE_MM2 for seen in front) >= 4
    # A gap in front may run far to the side, but its middle is in front.
    assert sum(seen.wall_mm2 for seen in front) < 0.2 * sum(seen.open_mm2 for seen in front)


def test_a_cleft_lies_inside_the_body_in_its_front_upper_part():
    site = site_of(replace(HEALTHY, height_loss=0.3, cleft=True))
    assert 0.3 < read_site(site).cleft_ml < 4.0
    assert not bool((site.cleft & ~site.body).any())
    middle = torch.nonzero(site.cleft).float().mean(0) - torch.nonzero(site.body).float().mean(0)
    assert middle[1] > 0 and middle[2] > 0


def test_a_lesion_at_the_wall_that_breaks_cortex_opens_it_toward_the_canal():
    sick = replace(
        HEALTHY,
        population="metastatic",
        lesion="lytic",
        lesion_share=0.8,
        lesion_at_wall=True,
        lesion_breaks=True,
    )
    seen = [read_site(site_of(replace(sick, seed=s))) for s in range(5)]
    assert sum(s.wall_mm2 >= VISIBLE_MM2 for s in seen) >= 4
    sealed = site_of(replace(sick, lesion_breaks=False))
    assert read_site(sealed).open_mm2 == 0
    assert sealed.lesion is not None and float(sealed.lesion.sum()) > 0.1 * float(sealed.body.sum())


def test_vertebrae_of_one_patient_share_their_bones_whatever_their_injection_seed():
    first, second = site_of(HEALTHY), site_of(replace(HEALTHY, seed=99))
    assert torch.equal(first.body, second.body)
    assert not torch.equal(site_of(replace(HEALTHY, anatomy_seed=12)).body.sum(), first.body.sum())
