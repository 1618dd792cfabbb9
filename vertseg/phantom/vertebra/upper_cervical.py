"""The atlas and the dens, which no other vertebra resembles."""

import torch
from torch import Tensor

from vertseg.phantom.shapes import bar, smooth_max, smooth_min, turned_ellipsoid
from vertseg.phantom.types import VertebraShape

DENS_UP_MM = 13.0
"""Height of the dens over the axis' body; rounded from anatomy texts, not from a table."""


def _ring(u: Tensor, v: Tensor, centre_v: float, radii: tuple[float, float]) -> Tensor:
    """Distance (mm) to an ellipse in the axial plane, negative within."""
    x, y = u * (1.0 / radii[0]), (v - centre_v) * (1.0 / radii[1])
    k0 = torch.sqrt(x * x + y * y + 1e-9)
    k1 = torch.sqrt((x / radii[0]).square() + (y / radii[1]).square() + 1e-9)
    return k0 * (k0 - 1.0) / k1


def atlas_distances(p: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """Anterior arch (which stands for the body) and the rest of the ring of C1 (mm).

    The frame's origin lies in the dens; the arches run around it and the canal.
    """
    s = shape.sizes
    u, v, w = p[..., 0].abs(), p[..., 1], p[..., 2]
    k = s["canal_width"] / 28.0
    front, back = 8.0 * k, -0.5 * s["depth"] - s["canal_depth"] - 2.5
    middle, reach = 0.5 * (front + back), 0.5 * (front - back)
    ring = _ring(u, v, middle, (0.5 * s["canal_width"] + 5.0, reach))
    tube = torch.hypot(ring, w * 0.72) - 3.2
    anterior = smooth_max(tube, 2.0 - v, 3.0)
    points = (u, v, w)
    axes = ((0.87, 0.0, -0.5), (0.0, 1.0, 0.0), (0.5, 0.0, 0.87))
    mass = turned_ellipsoid(points, (18.5 * k, -2.0, 0.0), axes, (7.5, 9.0, 9.0))
    posterior = smooth_min(smooth_max(tube, v + 2.0, 3.0), mass, 3.0)
    tip = 0.5 * s["transverse_span"] - 4.0
    process = bar(points, (23.0 * k, -5.0, 0.0), (tip, -6.0, -1.0), (5.5, 4.0), (1.0, 1.3, 1.0))
    hole = torch.hypot(u - 0.5 * (tip + 22.0 * k), v + 4.5) - 3.0
    posterior = smooth_min(posterior, smooth_max(process, -hole, 1.0), 2.5)
    return anterior, posterior


def dens_distance(p: Tensor, shape: VertebraShape) -> Tensor:
    """The dens on the axis' body (mm), 9-10 mm thick and waisted where the transverse ligament runs."""
    top = 0.5 * shape.sizes["height"]
    points = (p[..., 0], p[..., 1], p[..., 2])
    k = shape.sizes["width"] / 17.0
    return bar(
        points,
        (0.0, 0.0, top - 4.0),
        (0.0, 1.0, top + DENS_UP_MM - 4.5),
        (5.2 * k, 4.6 * k),
        (1.0, 1.05, 1.0),
    )
