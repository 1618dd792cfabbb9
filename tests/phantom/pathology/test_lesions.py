"""Lesions: volumes, contrast, masks, what they do to the shape of the bone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.phantom.sick import SOFT_HU, healthy, paint
from vertseg.labels import FINDINGS
from vertseg.phantom.pathology.tumours import SOFT_TISSUE_HU, draw_metastasis, draw_myeloma, lytic_hu
from vertseg.phantom.types import Hidden, Lesion

LYTIC, SCLEROTIC, WALL, CEMENT = range(len(FINDINGS))
PHASE = np.array([0.3, 1.1, 2.0])


def ball(kind: str, centre: tuple[float, float, float], radius: float, hu: float, **more: float) -> Lesion:
    breaks = bool(more.pop("breaks", False))
    return Lesion(kind, np.array(centre), np.full(3, radius), hu, breaks, PHASE, **more)  # type: ignore[arg-type]


def test_lytic_lesion_inside_the_body_has_its_volume_and_leaves_the_wall_alone() -> None:
    painted = paint(lambda s: replace(s, lesions=(ball("lytic_lesion", (0.0, 3.0, 0.0), 7.0, 45.0),)))
    mask = painted.finding(LYTIC)
    assert float(mask.sum()) * painted.voxel_mm3 == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.25)
    assert not painted.finding(WALL).any() and not painted.finding(SCLEROTIC).any()
    spared = painted.mine & ~mask & (painted.sheet.tissue == 1)
    assert float(painted.hu[mask].mean()) < float(painted.hu[spared].median()) - 50
    assert not painted.hidden(Hidden.OPEN_CORTEX).any()


def test_lesion_at_the_wall_opens_it_and_one_with_a_standing_shell_less() -> None:
    def at(shell_left: float) -> float:
        lesion = ball("lytic_lesion", (2.0, -15.0, 0.0), 9.0, 45.0, breaks=True, shell_left=shell_left)
        painted = paint(lambda s: replace(s, lesions=(lesion,)), 1.0)
        assert bool((painted.finding(WALL) & ~painted.finding(LYTIC)).sum() == 0)
        return float(painted.sheet.wall_mm2[painted.shape.level])

    whole, patchy = at(0.0), at(0.5)
    assert whole > 120
    assert 0.2 * whole < patchy < 0.8 * whole


def test_expanding_lesion_makes_the_bone_bulge_and_a_mass_does_not() -> None:
    side = healthy()[0].sizes["width"] / 2
    make = {"plain": {}, "bulge": {"expands_mm": 4.0}, "mass": {"extends_mm": 6.0}}
    painted = {
        name: paint(
            lambda s, more=more: replace(  # type: ignore[misc]
                s, lesions=(ball("lytic_lesion", (side - 3.0, 2.0, 0.0), 9.0, 90.0, breaks=True, **more),)
            )
        )
        for name, more in make.items()
    }
    volume = {name: int(p.mine.sum()) * p.voxel_mm3 for name, p in painted.items()}
    assert volume["bulge"] > volume["plain"] + 250
    assert volume["mass"] == volume["plain"]
    outside = (
        ~painted["mass"].mine & (painted["mass"].hu > SOFT_HU + 30) & (painted["plain"].hu < SOFT_HU + 15)
    )
    assert int(outside.sum()) * painted["mass"].voxel_mm3 > 150
    assert not (painted["mass"].finding(LYTIC) & outside).any()


def test_sclerotic_lesion_is_bright_and_mixed_one_marks_both_masks_apart() -> None:
    dense = paint(lambda s: replace(s, lesions=(ball("sclerotic_lesion", (4.0, 2.0, 0.0), 8.0, 700.0),)))
    spared = dense.mine & (dense.sheet.tissue == 1) & ~dense.finding(SCLEROTIC)
    assert float(dense.hu[dense.finding(SCLEROTIC)].mean()) > float(dense.hu[spared].mean()) + 250
    mixed = paint(lambda s: replace(s, lesions=(ball("mixed_lesion", (0.0, 0.0, 0.0), 10.0, 800.0),)))
    lytic, sclerotic = mixed.finding(LYTIC), mixed.finding(SCLEROTIC)
    assert int(lytic.sum()) > 100 and int(sclerotic.sum()) > 100
    assert not (lytic & sclerotic).any()
    assert float(mixed.hu[sclerotic].mean()) > float(mixed.hu[lytic].mean()) + 300


def test_tumour_is_soft_tissue_and_always_darker_than_marrow() -> None:
    rng = np.random.default_rng(2)
    for trabecular in (45.0, 90.0, 200.0):
        levels = [lytic_hu({"trabecular": trabecular, "artery": 42.0}, rng) for _ in range(100)]
        assert max(levels) <= trabecular - 35 + 1e-9
        assert max(levels) <= SOFT_TISSUE_HU[1]
        if trabecular > 120:
            assert min(levels) >= SOFT_TISSUE_HU[0]


def test_metastases_run_from_small_to_the_whole_body_and_myeloma_is_many_small_holes() -> None:
    shape, anatomy = healthy()
    rng = np.random.default_rng(8)
    radii = [float(draw_metastasis("lytic_lesion", shape, anatomy.hu, rng).radii.mean()) for _ in range(400)]
    body = np.array([shape.sizes[k] for k in ("width", "depth", "height")]).mean() / 2
    assert min(radii) < 4 and max(radii) > 0.85 * body
    holes = [draw_myeloma(shape, anatomy.hu, rng) for _ in range(60)]
    assert all(2 <= len(h) <= 8 for h in holes)
    assert max(float(lesion.radii.max()) for h in holes for lesion in h) < 7


def test_lobes_join_to_one_outline_larger_than_the_first() -> None:
    lobes = ((0.0, 0.0, 0.0, 6.0, 6.0, 6.0), (7.0, 2.0, 0.0, 5.0, 5.0, 5.0))
    one = paint(lambda s: replace(s, lesions=(ball("lytic_lesion", (0.0, 0.0, 0.0), 6.0, 40.0),)))
    two = paint(
        lambda s: replace(
            s, lesions=(replace(ball("lytic_lesion", (0.0, 0.0, 0.0), 6.0, 40.0), lobes=lobes),)
        )
    )
    assert int(two.finding(LYTIC).sum()) > 1.2 * int(one.finding(LYTIC).sum())
    assert torch.isfinite(two.hu).all()
