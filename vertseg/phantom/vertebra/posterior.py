"""Posterior elements of one vertebra as implicit surfaces: pedicles, laminae, articular, spinous, transverse.

Everything is symmetric in |right|, so one side is evaluated for both; the caller warps the points a little
so that no patient is. Places are counted in mm from the posterior wall and from the body's middle height;
`arch_morphometry` says where the numbers come from.
"""

import math

import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR
from vertseg.phantom.shapes import bar, smooth_max, smooth_min
from vertseg.phantom.types import VertebraShape
from vertseg.phantom.vertebra.facets import (
    Facet,
    Side,
    inferior_facet,
    process_distance,
    superior_facet,
)

ROUND = (1.0, 1.0, 1.0)
Point = tuple[float, float, float]


def _pedicle(side: Side, s: dict[str, float]) -> Tensor:
    half, root = 0.5 * s["pedicle_width"], _arch_root(s)
    toe = math.tan(math.radians(min(s["pedicle_angle"], 30.0)))
    start = (0.5 * s["canal_width"] + half - 5.0 * toe, 4.0, root[2] - 0.5)
    return bar(
        (side.u, side.v, side.w), start, root, (half, half), (1.0, 1.0, s["pedicle_height"] / (2 * half))
    )


def _arch_root(s: dict[str, float]) -> Point:
    """Where pedicle, articular pillar and transverse process meet."""
    right = 0.5 * s["canal_width"] + 0.5 * s["pedicle_width"]
    return (right, -0.5 * s["canal_depth"], s["pedicle_up"])


def canal_distance(side: Side, s: dict[str, float]) -> Tensor:
    """The canal: a tube behind the posterior wall, rounded in the thorax and three-cornered elsewhere."""
    rx, ry = 0.5 * s["canal_width"], 0.5 * s["canal_depth"]
    y = (side.v + ry - 0.5) * (1.0 / ry)
    x = side.u * (1.0 / rx) / (1.0 + 0.5 * s["canal_corner"] * (y.clamp(-1.0, 1.0) - 1.0))
    return (torch.sqrt(x * x + y * y) - 1.0) * min(rx, ry)


def _lamina(side: Side, s: dict[str, float]) -> Tensor:
    """Two slanted plates behind the canal: their lower edge lies farther back than the upper one."""
    back = side.v + s["lamina_slant"] * (side.w - s["lamina_top"]).clamp(-25.0, 8.0) * -1.0
    rx, ry = 0.5 * s["canal_width"] + 0.5, 0.5 * s["canal_depth"]
    y = (back + ry) * (1.0 / ry)
    x = side.u * (1.0 / rx) / (1.0 + 0.5 * s["canal_corner"] * (y.clamp(-1.0, 1.0) - 1.0))
    ring = (torch.sqrt(x * x + y * y) - 1.0) * ry
    half = 0.5 * s["lamina_thickness"]
    plate = (ring - half).abs() - half
    top = side.w - s["lamina_top"] - s["lamina_rise"] * side.u
    bottom = s["lamina_bottom"] + s["lamina_taper"] * side.u - side.w
    # Below the pedicle the nerve leaves: the plate begins farther back there.
    notch = ((s["pedicle_up"] - 0.4 * s["pedicle_height"] - side.w) * 0.7).clamp(
        0.0, s["lamina_notch"] * s["canal_depth"]
    )
    edge = torch.maximum(torch.maximum(top, bottom), side.v + 0.45 * s["canal_depth"] + notch)
    return smooth_max(plate, edge, 2.5)


def _spinous(side: Side, s: dict[str, float]) -> Tensor:
    """A plate in the midsagittal plane, as high at its root and tip as the level's process is."""
    root_v, root_w = -s["canal_depth"] - 1.0, s["spinous_root_up"]
    tip_v, tip_w = -s["spinous_length"], -s["spinous_drop"]
    length = ((tip_v - root_v) ** 2 + (tip_w - root_w) ** 2) ** 0.5
    dv, dw = (tip_v - root_v) / length, (tip_w - root_w) / length
    y, z = side.v - root_v, side.w - root_w
    t, q = y * dv + z * dw, y * dw - z * dv
    share = (t * (1.0 / length)).clamp(0.0, 1.0)
    half = s["spinous_root_height"] + share * (s["spinous_tip_height"] - s["spinous_root_height"])
    thin = s["spinous_thickness"] * (1.25 - 1.5 * share + 1.55 * share * share)
    plane = smooth_max(q.abs() - half, torch.maximum(t - length, -t - 2.0), 4.0)
    blade = smooth_max(plane, side.u - thin, 3.0)
    if s["spinous_fork"] <= 0:
        return blade
    tip = (s["spinous_fork"], tip_v + 1.0, tip_w - 1.0)
    fork = bar((side.u, side.v, side.w), (0.5, tip_v + 7.0, tip_w + 1.5), tip, (3.0, 2.6), ROUND)
    return smooth_min(blade, fork, 2.0)


def _transverse(side: Side, shape: VertebraShape) -> Tensor:
    s, root = shape.sizes, _arch_root(shape.sizes)
    points = (side.u, side.v, side.w)
    thick, high = s["transverse_thickness"], s["transverse_height"]
    tip = (0.5 * s["transverse_span"] - thick, -s["transverse_behind"], s["transverse_up"])
    if shape.level in CERVICAL[1:]:
        return _cervical_transverse(side, s, tip)
    start = (root[0], root[1] - s["transverse_root"], root[2] - 1.0)
    wide = s["transverse_base"]
    return bar(points, start, tip, (wide, thick), (1.0, 1.0, high))


def _cervical_transverse(side: Side, s: dict[str, float], tip: Point) -> Tensor:
    """Front and back bars with the vertebral artery's foramen between them."""
    points = (side.u, side.v, side.w)
    half = 0.5 * s["width"]
    hole_v = 0.3 * s["depth"]
    back = bar(points, (half + 4.0, -2.0, 0.0), (tip[0], hole_v - 3.0, -2.0), (3.6, 3.2), (1.0, 1.0, 1.1))
    front = bar(
        points,
        (half - 1.0, hole_v + 3.6, 0.0),
        (tip[0] - 1.5, hole_v + 3.5, -1.0),
        (2.2, 2.4),
        (1.0, 1.0, 1.3),
    )
    end = bar(
        points, (tip[0], hole_v - 3.0, -2.0), (tip[0] - 1.5, hole_v + 3.5, -1.5), (2.0, 2.0), (1.0, 1.0, 1.4)
    )
    solid = smooth_min(smooth_min(back, front, 2.0), end, 2.0)
    return solid


def _artery_distance(side: Side, s: dict[str, float]) -> Tensor:
    """The transverse foramen, an upright tube."""
    u, v = _artery(s)
    return torch.hypot(side.u - u, side.v - v) - 2.9


def _artery(s: dict[str, float]) -> tuple[float, float]:
    """Where the vertebral artery runs: right of the midline, in front of the posterior wall."""
    tip = 0.5 * s["transverse_span"] - s["transverse_thickness"]
    return 0.5 * (0.5 * s["width"] + tip) - 0.5, 0.3 * s["depth"] + 0.3


def _pars(s: dict[str, float]) -> Point:
    """The isthmus between the superior and the inferior articular process."""
    right = 0.5 * s["canal_width"] + 0.5 * s["lamina_thickness"]
    return (right, -0.85 * s["canal_depth"], s["pedicle_up"] - 3.0)


def _behind(facet: Facet, depth: float, out: float) -> Point:
    """The middle of the bone `out` mm off a joint, counted from the posterior wall."""
    c, n = facet.centre, facet.normal
    return (c[0] + out * n[0], c[1] + 0.5 * depth + out * n[1], c[2])


def _superior_process(side: Side, shape: VertebraShape) -> Tensor:
    """From the pedicle's root up to the joint above."""
    s, facet, depth = shape.sizes, superior_facet(shape), shape.sizes["depth"]
    thick = s["process_thickness"]
    plate = process_distance(side, facet, depth, -1.0, thick)
    top = _behind(facet, depth, -0.5 * thick)
    radii = (0.5 * thick + 1.4, 0.5 * thick + 0.6)
    stem = bar((side.u, side.v, side.w), _arch_root(s), (top[0], top[1], top[2] - 2.0), radii, ROUND)
    return smooth_min(plate, stem, 3.0)


def _inferior_process(side: Side, shape: VertebraShape) -> Tensor:
    """From the isthmus down to the joint below."""
    s, facet, depth = shape.sizes, inferior_facet(shape), shape.sizes["depth"]
    thick = 0.85 * s["process_thickness"]
    plate = process_distance(side, facet, depth, 1.0, thick)
    foot = _behind(facet, depth, 0.53 * thick)
    radii = (0.5 * s["lamina_thickness"] + 1.0, 0.53 * thick)
    limb = bar((side.u, side.v, side.w), _pars(s), (foot[0], foot[1], foot[2] + 2.0), radii, ROUND)
    return smooth_min(plate, limb, 3.0)


def _mamillary(side: Side, shape: VertebraShape) -> Tensor:
    """The bump on the back of a lumbar superior articular process."""
    facet = superior_facet(shape)
    knob = (facet.centre[0] + 4.5, facet.centre[1] + 0.5 * shape.sizes["depth"] - 2.0, facet.centre[2] - 2.0)
    return bar((side.u, side.v, side.w), knob, knob, (3.4, 3.4), ROUND)


def posterior_distance(p: Tensor, shape: VertebraShape) -> Tensor:
    """Signed distance (mm) of the posterior elements of both sides.

    Args:
        p: (..., 3) mm, (right, anterior, up) from the body centre.
        shape: the vertebra.
    """
    s = shape.sizes
    side = Side(p[..., 0].abs(), p[..., 1] + 0.5 * s["depth"], p[..., 2])
    half = 0.5 * s["lamina_thickness"]
    isthmus = bar(
        (side.u, side.v, side.w), _arch_root(s), _pars(s), (half + 1.2, half + 1.0), (1.0, 1.0, 1.2)
    )
    arch = smooth_min(_pedicle(side, s), isthmus, 3.0)
    arch = smooth_min(arch, _lamina(side, s), 3.0)
    arch = smooth_min(arch, _spinous(side, s), 4.0)
    arch = smooth_min(arch, _transverse(side, shape), 3.5)
    arch = smooth_min(arch, _superior_process(side, shape), 3.0)
    arch = smooth_min(arch, _inferior_process(side, shape), 3.0)
    if shape.level in LUMBAR:
        arch = smooth_min(arch, _mamillary(side, shape), 3.0)
    if shape.level in CERVICAL[1:]:
        arch = smooth_max(arch, -_artery_distance(side, s), 1.0)
    return smooth_max(arch, -canal_distance(side, s), 1.5)
