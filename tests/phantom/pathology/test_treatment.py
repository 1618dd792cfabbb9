"""Cement, its leaks, screws and rods: where they are painted and marked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.phantom.sick import healthy, paint
from vertseg.labels import FINDINGS, LUMBAR
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.cementation import LEAK_RATES, draw_cement, with_screws
from vertseg.phantom.pathology.disease import CementFill, Strand
from vertseg.phantom.pathology.treatment import paint_treatment
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Hidden
from vertseg.volume import crop_grid

CEMENT = FINDINGS.index("cement")


def fill(*strands: Strand, rough: float = 0.0) -> CementFill:
    return CementFill(((0.0, 4.0, 0.0, 7.0, 7.0, 7.0),), 2200.0, rough, strands, (0.1, 0.2, 0.3))


def test_deposit_has_its_volume_and_is_dense() -> None:
    painted = paint(lambda s: replace(s, cement=fill()), 1.0)
    mask = painted.finding(CEMENT)
    assert float(mask.sum()) * painted.voxel_mm3 == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.25)
    assert float(painted.hu[mask].mean()) > 1800
    assert torch.equal(mask, painted.sheet.cement_level == painted.shape.level)
    assert bool((mask & ~painted.mine).sum() == 0)


def test_rough_margin_has_more_surface_than_a_smooth_one() -> None:
    def surface_share(rough: float) -> float:
        mask = paint(lambda s: replace(s, cement=fill(rough=rough)), 1.0).finding(CEMENT).float()
        faces = sum(float(mask.diff(dim=d).abs().sum()) for d in range(3))
        return faces / float(mask.sum()) ** (2 / 3)

    assert surface_share(1.6) > 1.25 * surface_share(0.0)


def test_leak_is_marked_outside_of_the_bone_and_belongs_to_its_vertebra() -> None:
    back = -0.5 * healthy()[0].sizes["depth"]
    strand = Strand("canal", ((0.0, back + 8.0, 0.0), (0.0, back - 2.0, 0.0), (0.0, back - 2.0, 9.0)), 1.8)
    painted = paint(lambda s: replace(s, cement=fill(strand)), 1.0)
    outside = painted.finding(CEMENT) & ~painted.mine
    assert 20 < float(outside.sum()) * painted.voxel_mm3 < 250
    assert bool((painted.sheet.cement_level[outside] == painted.shape.level).all())
    assert float(painted.hu[outside].mean()) > 1000


def test_drawn_cement_leaks_as_often_as_stated() -> None:
    shape, _ = healthy()
    rng = np.random.default_rng(3)
    fills = [draw_cement(shape, rng) for _ in range(600)]
    for way, rate in LEAK_RATES.items():
        seen = np.mean([any(s.route == way for s in f.strands) for f in fills])
        assert seen == pytest.approx(rate, abs=0.05)
    assert all(1300 <= f.hu <= 3000 for f in fills)
    any_leak = np.mean([any(s.route != "track" for s in f.strands) for f in fills])
    assert 0.4 < any_leak < 0.6


def test_screws_are_metal_and_rods_join_their_levels() -> None:
    _, anatomy = healthy()
    column = with_screws(anatomy.vertebrae, (LUMBAR[1], LUMBAR[3]), np.random.default_rng(0))
    anatomy = replace(anatomy, vertebrae=column)
    middle = next(s for s in column if s.level == LUMBAR[2])
    canvas = Canvas(crop_grid(middle.centre_mm, np.eye(3), (70, 80, 80), 1.8), np.eye(4), 1.8, "cpu")
    sheet = LabelSheet.blank(canvas)
    paint_treatment(canvas, sheet, anatomy)
    metal = sheet.hidden[Hidden.METAL].bool()
    assert float(canvas.hu[metal].median()) > 3000 and float(canvas.hu.max()) <= 10000
    assert not sheet.findings.any()
    # Every slice between the two levels holds both rods and nothing of the middle level's own.
    height = [next(s for s in column if s.level == n).centre_mm[2] for n in (LUMBAR[1], LUMBAR[3])]
    slices = [round(z / 1.8 - canvas.grid.affine[2, 3] / 1.8) for z in height]
    low, high = max(0, min(slices) + 6), min(79, max(slices) - 6)
    per_slice = metal[:, :, low:high].sum((0, 1))
    assert int(per_slice.min()) >= 4


def test_metal_takes_the_place_of_findings() -> None:
    def treated(shape):  # type: ignore[no-untyped-def]
        deposit = CementFill(((10.0, 2.0, 4.0, 9.0, 9.0, 8.0),), 2000.0, 0.0, (), (0.0, 0.0, 0.0))
        return with_screws((replace(shape, cement=deposit),), (shape.level,), np.random.default_rng(1))[0]

    painted = paint(treated, 1.0)
    metal = painted.hidden(Hidden.METAL)
    assert metal.any() and painted.finding(CEMENT).any()
    assert not (metal & painted.finding(CEMENT)).any()
    assert not painted.sheet.cement_level[metal].any()
