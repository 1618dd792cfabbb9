"""Bodies and whole vertebrae against the sizes that they were drawn with."""

import numpy as np
import pytest
import torch

from vertseg.labels import CERVICAL, LEVEL_NUMBERS, LUMBAR, THORACIC
from vertseg.phantom.patient.variation import typical_sizes
from vertseg.phantom.shapes import smooth_min, stack_points
from vertseg.phantom.types import VertebraShape
from vertseg.phantom.vertebra.distances import VertebraDistances, vertebra_distances, wall_shell

LEVELS = (*CERVICAL[2:], *THORACIC, *LUMBAR[:5])


def typical(level: int, **changes: float) -> VertebraShape:
    return VertebraShape(level, np.zeros(3), np.eye(3), typical_sizes(level) | {"irregular": 0.0} | changes)


def row(x: object, y: object, z: object) -> torch.Tensor:
    parts = torch.broadcast_tensors(*(torch.as_tensor(c, dtype=torch.float32) for c in (x, y, z)))
    return stack_points(*parts)


def lattice(step: float = 1.0) -> torch.Tensor:
    axes = [torch.arange(a, b, step) for a, b in ((-60.0, 60.0), (-85.0, 35.0), (-48.0, 48.0))]
    return stack_points(*torch.meshgrid(*axes, indexing="ij"))


def whole(d: VertebraDistances) -> torch.Tensor:
    return smooth_min(d.body, d.posterior, 2.0)


@pytest.mark.parametrize("level", LEVELS)
def test_body_has_the_drawn_width_depth_and_rim_heights(level: int) -> None:
    shape = typical(level, waist=0.0, osteophyte=0.0, rim=0.1, uncus=0.0)
    s, t = shape.sizes, torch.linspace(-40, 40, 8001)
    front = t[vertebra_distances(row(0.0, t, 0.0), shape).body <= 0]
    assert float(front.max() - front.min()) == pytest.approx(s["depth"], abs=0.3)
    across = t[vertebra_distances(row(t, 0.0, 0.0), shape).body <= 0]
    assert float(across.max() - across.min()) == pytest.approx(s["width"], abs=0.3)
    for v, height in ((0.47, s["anterior_height"]), (-0.47, s["height"])):
        up = t[vertebra_distances(row(0.0, v * s["depth"], t), shape).body <= 0]
        assert float(up.max() - up.min()) == pytest.approx(height, abs=0.6)


def test_endplates_are_hollow_and_the_posterior_wall_too() -> None:
    shape = typical(LUMBAR[2])
    s, t = shape.sizes, torch.linspace(-30, 30, 6001)
    middle = t[vertebra_distances(row(0.0, 0.0, t), shape).body <= 0]
    assert float(middle.max() - middle.min()) < min(s["height"], s["anterior_height"]) - 1.5
    centre = t[vertebra_distances(row(0.0, t, 0.0), shape).body <= 0].min()
    corner = t[vertebra_distances(row(0.25 * s["width"], t, 0.0), shape).body <= 0].min()
    assert float(centre - corner) > 0.5


@pytest.mark.parametrize("level", LEVELS)
def test_canal_is_open_and_closed_behind(level: int) -> None:
    shape = typical(level)
    s = shape.sizes
    middle = -0.5 * s["depth"] - 0.5 * s["canal_depth"]
    up = torch.linspace(-0.9, 0.9, 19) * s["height"]
    d = vertebra_distances(row(0.0, middle, up), shape)
    assert float(torch.minimum(d.body, d.posterior).min()) > 3.0
    ring = torch.linspace(0.0, np.pi, 60)
    x = torch.cos(ring) * 0.5 * s["canal_width"]
    outward = torch.linspace(0.0, 14.0, 57)[:, None]
    y = middle - torch.sin(ring) * 0.5 * s["canal_depth"]
    rays = row(
        x * (1 + outward / 12), y - torch.sin(ring) * outward, torch.linspace(-14, 8, 23)[:, None, None]
    )
    assert bool((vertebra_distances(rays, shape).posterior < 0).any(0).any(0).all())


def test_without_irregularity_both_sides_are_alike_and_with_it_they_are_not() -> None:
    p = lattice(4.0)
    mirrored = stack_points(-p[..., 0], p[..., 1], p[..., 2])
    for level in (LUMBAR[2], THORACIC[7], CERVICAL[0], CERVICAL[1], CERVICAL[4]):
        d, e = (whole(vertebra_distances(q, typical(level))) for q in (p, mirrored))
        assert torch.allclose(d, e, atol=1e-3)
    d, e = (whole(vertebra_distances(q, typical(LUMBAR[2], irregular=1.0))) for q in (p, mirrored))
    assert float((d - e).abs().mean()) > 0.2


def test_volumes_are_those_of_adult_ct() -> None:
    """Whole vertebra and posterior share as in adult label maps: T8 20-33 ml, a half; L3 44-70 ml, a third."""
    p = lattice(1.5)
    for name, low, high, share in (("T8", 20, 33, (0.42, 0.58)), ("L3", 44, 70, (0.3, 0.45))):
        d = vertebra_distances(p, typical(LEVEL_NUMBERS[name]))
        inside = whole(d) < 0
        volume = float(inside.sum()) * 1.5**3 / 1000.0
        assert low < volume < high
        assert share[0] < float((inside & (d.posterior < d.body)).sum()) * 1.5**3 / 1000.0 / volume < share[1]


def test_endplate_distance_tells_endplates_from_the_shell() -> None:
    shape = typical(LUMBAR[1])
    s = shape.sizes
    d = vertebra_distances(row([0.0, 0.48 * s["width"]], 0.0, [0.48 * s["height"], 0.0]), shape)
    assert d.endplate[0] > d.lateral[0] and d.lateral[1] > d.endplate[1]


def test_wall_shell_lies_at_the_canal_and_is_as_thick_as_stated() -> None:
    shape = typical(LUMBAR[2])
    axes = [torch.arange(a, b, 0.5) for a, b in ((-20.0, 20.0), (-25.0, 5.0), (-3.0, 3.0))]
    p = stack_points(*torch.meshgrid(*axes, indexing="ij"))
    d = vertebra_distances(p, shape)
    shell = p[wall_shell(p, d.body, d.lateral, shape)]
    assert float(shell[:, 1].max()) < -0.28 * shape.sizes["depth"]
    assert float(shell[:, 0].abs().max()) <= 0.5 * shape.sizes["canal_width"]
    column = shell[(shell[:, 0] == 0) & (shell[:, 2] == 0)]
    assert len(column) * 0.5 == pytest.approx(2.3, abs=0.6)


def test_dens_stands_on_the_axis_and_the_atlas_has_a_ring() -> None:
    axis = typical(CERVICAL[1])
    top = 0.5 * axis.sizes["height"]
    assert float(vertebra_distances(row(0.0, 1.0, top + 8.0), axis).body) < -2.0
    atlas = typical(CERVICAL[0])
    canal = row(0.0, -0.5 * atlas.sizes["depth"] - 0.5 * atlas.sizes["canal_depth"], 0.0)
    d = vertebra_distances(
        torch.cat([row(0.0, 8.0, 0.0)[None], row(18.5, -2.0, 0.0)[None], canal[None]]), atlas
    )
    assert d.body[0] < -2.0 and d.posterior[1] < -4.0
    assert torch.minimum(d.body, d.posterior)[2] > 6.0
