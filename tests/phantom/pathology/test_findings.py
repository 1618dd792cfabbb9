"""Wall defects of known area, openings that are healthy, mimics without labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.phantom.sick import SOFT_HU, healthy, paint
from vertseg.labels import FINDINGS
from vertseg.phantom.pathology.fractures import HOLE_AREA_MM2, draw_wall_hole
from vertseg.phantom.pathology.tumours import draw_hemangioma
from vertseg.phantom.types import Hidden, SchmorlNode, WallHole
from vertseg.phantom.vertebra.foramen import OPENING_MM, draw_foramen

WALL = FINDINGS.index("posterior_wall_defect")


@pytest.mark.parametrize("spacing_mm", [1.0, 1.25, 1.5])
@pytest.mark.parametrize(
    ("radius_mm", "right_mm", "up_mm"), [(1.6, 4.0, 4.0), (4.0, -3.0, -2.0), (8.0, 0.0, 0.0)]
)
def test_area_of_a_drawn_disc(spacing_mm: float, radius_mm: float, right_mm: float, up_mm: float) -> None:
    hole = WallHole(right_mm, up_mm, radius_mm, SOFT_HU, ragged_mm=0.0)
    painted = paint(lambda s: replace(s, wall_hole=hole), spacing_mm)
    area = float(painted.sheet.wall_mm2[painted.shape.level])
    assert area == pytest.approx(np.pi * radius_mm**2, rel=0.15)
    where = torch.nonzero(painted.finding(WALL)).double().mean(0).numpy()
    world = painted.canvas.grid.affine @ np.array([*where, 1.0])
    local = (world[:3] - painted.shape.centre_mm) @ painted.shape.axes
    assert local[0] == pytest.approx(right_mm, abs=1.0) and local[2] == pytest.approx(up_mm, abs=1.0)
    # The wall is hollow: up to a third of the half depth in front of its corners.
    assert -0.55 * painted.shape.sizes["depth"] < local[1] < -0.33 * painted.shape.sizes["depth"]


def test_hole_is_dark_where_the_wall_was_bright_and_open_for_cement() -> None:
    hole = WallHole(3.0, 4.0, 4.0, SOFT_HU, ragged_mm=0.0)
    before, after = paint(lambda s: s), paint(lambda s: replace(s, wall_hole=hole))
    mask = after.finding(WALL)
    assert float(after.hu[mask].mean()) < float(before.hu[mask].mean()) - 80
    assert float(after.hu[mask].mean()) < 110
    opened = after.hidden(Hidden.OPEN_CORTEX)
    assert bool(opened.any()) and bool((opened & ~after.mine).sum() == 0)


def test_drawn_holes_stay_on_the_wall_and_in_their_range() -> None:
    shape, _ = healthy()
    rng = np.random.default_rng(4)
    areas = []
    for _ in range(300):
        hole = draw_wall_hole(shape, rng)
        areas.append(np.pi * hole.radius_mm**2)
        assert abs(hole.right_mm) < 0.5 * shape.sizes["canal_width"]
        assert abs(hole.up_mm) < 0.5 * shape.sizes["height"]
    assert min(areas) >= HOLE_AREA_MM2[0] - 1e-6 and max(areas) <= HOLE_AREA_MM2[1] + 1e-6
    assert min(areas) < 8 and max(areas) > 200


def test_healthy_vertebra_has_no_findings_and_an_open_foramen() -> None:
    painted = paint(lambda s: replace(s, sizes={**s.sizes, "foramen": 3.5}), 1.0)
    shut = paint(lambda s: replace(s, sizes={**s.sizes, "foramen": -9.0}), 1.0)
    assert not painted.finding(slice(None)).any()  # type: ignore[arg-type]
    assert not painted.sheet.wall_mm2
    changed = painted.hu < shut.hu - 40
    where = torch.nonzero(changed).double().numpy() @ painted.canvas.grid.affine[:3, :3].T
    local = (where + painted.canvas.grid.affine[:3, 3] - painted.shape.centre_mm) @ painted.shape.axes
    assert len(local) > 30
    assert np.abs(local[:, 0]).mean() < 6 and np.abs(local[:, 2]).mean() < 5
    depth = painted.shape.sizes["depth"]
    assert -0.6 * depth < local[:, 1].min() < -0.33 * depth


def test_foramina_differ_within_the_stated_range() -> None:
    shape, anatomy = healthy()
    widths = [
        2 * draw_foramen(replace(shape, seed=n, sizes={**shape.sizes, "foramen": f}), anatomy.hu).half_width
        for n, f in enumerate(np.linspace(1.2, 3.5, 20))
    ]
    assert widths[0] == pytest.approx(OPENING_MM[0]) and widths[-1] == pytest.approx(OPENING_MM[1])
    levels = [draw_foramen(replace(shape, seed=n), anatomy.hu).hu for n in range(60)]
    assert min(levels) >= -20 and max(levels) > 20 and np.std(levels) > 8


def test_mimics_are_seen_and_not_labelled() -> None:
    before = paint(lambda s: s)
    angioma = paint(lambda s: replace(s, lesions=(draw_hemangioma(s, np.random.default_rng(1)),)))
    node = SchmorlNode(2.0, -4.0, -1.0, 5.0, 5.0, 500.0, 80.0)
    pit = paint(lambda s: replace(s, schmorl=(node,)))
    for painted in (angioma, pit):
        assert int(((painted.hu - before.hu).abs() > 60).sum()) > 30
        assert not painted.finding(slice(None)).any()  # type: ignore[arg-type]
    broken = torch.nonzero(pit.hidden(Hidden.ENDPLATE_BREAK)).double().mean(0)
    middle = torch.nonzero(pit.mine & (pit.sheet.tissue == 1)).double().mean(0)
    assert float(broken[2]) < float(middle[2]) - 5
