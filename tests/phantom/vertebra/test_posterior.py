"""Posterior elements: joints that face as each region's do, a gap between neighbours, processes by level."""

import itertools

import numpy as np
import pytest
import torch

from vertseg.labels import CERVICAL, LUMBAR, THORACIC
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.patient.variation import typical_sizes
from vertseg.phantom.shapes import stack_points
from vertseg.phantom.types import ScanConfig, VertebraShape
from vertseg.phantom.vertebra.distances import vertebra_distances
from vertseg.phantom.vertebra.facets import facet_normal, inferior_facet, superior_facet
from vertseg.phantom.vertebra.posterior import posterior_distance


def typical(level: int) -> VertebraShape:
    return VertebraShape(level, np.zeros(3), np.eye(3), typical_sizes(level))


def row(x: object, y: object, z: object) -> torch.Tensor:
    parts = torch.broadcast_tensors(*(torch.as_tensor(c, dtype=torch.float32) for c in (x, y, z)))
    return stack_points(*parts)


def reach(level: int) -> dict[str, float]:
    """Extents (mm) of a typical vertebra's posterior elements."""
    axes = [torch.arange(a, b, 1.0) for a, b in ((0.0, 60.0), (-85.0, 10.0), (-48.0, 40.0))]
    p = stack_points(*torch.meshgrid(*axes, indexing="ij"))
    inside = p[posterior_distance(p, typical(level)) < 0]
    tip = inside[inside[:, 1] < inside[:, 1].min() + 4.0]
    middle = inside[(inside[:, 0] < 1.5)]
    return {
        "lateral": float(inside[:, 0].max()), "behind": -float(inside[:, 1].min()), "tip": float(tip[:, 2].mean()),
        "plate": float(middle[:, 2].max() - middle[:, 2].min()),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("angle", "tilt", "normal"),
    [(0.0, 90.0, (-1, 0, 0)), (90.0, 90.0, (0, -1, 0)), (180.0, 90.0, (1, 0, 0)), (45.0, 0.0, (0, 0, 1))],
)
def test_facet_normal_by_angle_and_tilt(angle: float, tilt: float, normal: tuple[float, ...]) -> None:
    assert facet_normal(angle, tilt) == pytest.approx(normal, abs=1e-9)


def test_joints_are_sagittal_in_the_loins_coronal_in_the_chest_and_oblique_in_the_neck() -> None:
    medial, back, up = np.abs(superior_facet(typical(LUMBAR[0])).normal)
    assert medial > back > up
    medial, back, up = np.abs(superior_facet(typical(THORACIC[6])).normal)
    assert back > 0.85 and up < 0.4
    medial, back, up = np.abs(superior_facet(typical(CERVICAL[4])).normal)
    assert back == pytest.approx(up, abs=0.2) and medial < 0.1
    turn = [typical_sizes(level)["facet_angle"] for level in LUMBAR[:5]]
    assert turn == sorted(turn)


def test_neighbours_leave_the_joint_gap_between_them() -> None:
    """Along the normal through each joint's middle the free way is the drawn gap, 0.6 to 2.3 mm, on average."""
    shapes = draw_anatomy(4, ScanConfig(pathology=0.0)).vertebrae[2:]
    t = torch.linspace(-8, 8, 1601)
    free, drawn = [], []
    for upper, lower in itertools.pairwise(shapes):
        facet = superior_facet(lower)
        for side in (1.0, -1.0):
            c, n = (np.asarray(v) * [side, 1.0, 1.0] for v in (facet.centre, facet.normal))
            line = torch.tensor(c[None] + t[:, None].numpy() * n[None], dtype=torch.float32)
            world = line.double().numpy() @ lower.axes.T + lower.centre_mm
            above = torch.tensor((world - upper.centre_mm) @ upper.axes, dtype=torch.float32)
            d = torch.minimum(
                vertebra_distances(line, lower).posterior, vertebra_distances(above, upper).posterior
            )
            open_way = (d > 0) & (t.abs() < 4.0)
            free.append(float(open_way.sum()) * 0.01)
        drawn.append(0.5 * (lower.sizes["facet_gap"] + upper.sizes["facet_gap"]))
    assert 0.6 < np.mean(drawn) < 2.3
    assert np.median(free) == pytest.approx(np.mean(drawn), abs=0.6)


def test_inferior_facet_looks_where_the_superior_one_below_looks() -> None:
    shapes = draw_anatomy(9, ScanConfig(pathology=0.0)).vertebrae
    for upper, lower in itertools.pairwise(shapes):
        turned = upper.axes @ np.asarray(inferior_facet(upper).normal)
        right = lower.axes @ np.asarray(superior_facet(lower).normal)
        left = lower.axes @ (np.asarray(superior_facet(lower).normal) * [-1, 1, 1])
        mirror = upper.axes @ (np.asarray(inferior_facet(upper).normal) * [-1, 1, 1])
        assert turned @ right > 0.94 and mirror @ left > 0.94


def test_spinous_processes_slope_in_the_chest_and_are_plates_in_the_loins() -> None:
    thoracic, lumbar = reach(THORACIC[6]), reach(LUMBAR[1])
    assert thoracic["tip"] < -18.0 and lumbar["tip"] > -12.0
    assert lumbar["plate"] == pytest.approx(20.0, abs=5.0)


def test_c7_is_prominent_and_the_transverse_processes_shrink_to_t12_and_peak_at_l3() -> None:
    assert reach(CERVICAL[6])["behind"] > reach(CERVICAL[4])["behind"] + 7.0
    span = [reach(level)["lateral"] for level in (THORACIC[0], THORACIC[4], THORACIC[9], THORACIC[11])]
    assert span == sorted(span, reverse=True)
    loins = [reach(level)["lateral"] for level in LUMBAR[:4]]
    assert max(loins) == loins[2]


@pytest.mark.parametrize("level", [THORACIC[7], LUMBAR[0], LUMBAR[2]])
def test_pedicle_section_is_the_drawn_ellipse(level: int) -> None:
    shape = typical(level)
    s = shape.sizes
    y, right = -0.5 * s["depth"] - 2.5, 0.5 * s["canal_width"] + 0.5 * s["pedicle_width"]
    t = torch.linspace(-15, 15, 3001)
    across = t[posterior_distance(row(right + t, y, s["pedicle_up"]), shape) < 0]
    up = t[posterior_distance(row(right, y, s["pedicle_up"] + t), shape) < 0]
    assert float(across.max() - across.min()) == pytest.approx(s["pedicle_width"], abs=2.0)
    assert float(up.max() - up.min()) == pytest.approx(s["pedicle_height"], abs=3.0)
    assert s["pedicle_up"] > 0


def test_vertebral_artery_has_a_foramen_in_the_neck() -> None:
    shape = typical(CERVICAL[4])
    s = shape.sizes
    x, y = torch.meshgrid(torch.arange(8.0, 28.0, 0.5), torch.arange(-12.0, 12.0, 0.5), indexing="ij")
    d = vertebra_distances(row(x, y, -1.0), shape)
    bone = torch.minimum(d.body, d.posterior) < 0
    hole = (
        x - 0.5 * (0.5 * s["width"] + 0.5 * s["transverse_span"] - s["transverse_thickness"]) + 0.5
    ).abs() < 1.5
    inside = hole & ((y + 0.5 * s["depth"] - 0.3 * s["depth"]).abs() < 1.5)
    assert not bool(bone[inside].any())
    assert bool(bone[(y > y[inside].max() + 2)].any()) and bool(bone[(y < y[inside].min() - 2)].any())
