"""Signed distances of one vertebra's body and posterior elements, in its own frame (right, anterior, up; mm)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR
from vertseg.phantom.shapes import capsule, smooth_max, smooth_min, waves
from vertseg.phantom.types import Lesion, VertebraShape

SUPERELLIPSE_EXPONENT = 2.5
WALL_SHELL_MM = 2.0
"""Thickness of the expected shell in which a missing cortex counts as a wall defect (design, contract 2)."""


@dataclass(frozen=True)
class VertebraDistances:
    """Distances (mm) at the given points; `lateral` is the body's side wall without its endplates."""

    body: Tensor
    posterior: Tensor
    lateral: Tensor


def body_distance(p: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """Body and its side wall: superelliptic section with a waist, concave posterior wall and endplates."""
    s = shape.sizes
    u, v, w = p[..., 0], p[..., 1], p[..., 2]
    half_width, half_depth = s["width"] / 2, s["depth"] / 2
    share = (v / s["depth"] + 0.5).clamp(0.0, 1.0)
    edge_height = s["height"] + (s["anterior_height"] - s["height"]) * share
    relative = (2 * w / edge_height).clamp(-1.0, 1.0)
    waist = 1.0 - s["waist"] * (1 - relative * relative)
    bulge = (
        0.16 * half_depth * torch.exp(-((u / (0.5 * half_width)) ** 2)) * (-v / half_depth).clamp(0.0, 1.0)
    )
    a, b = u / (half_width * waist), (v - bulge) / (half_depth * waist)
    k = (a.abs() ** SUPERELLIPSE_EXPONENT + b.abs() ** SUPERELLIPSE_EXPONENT + 1e-9) ** (
        1 / SUPERELLIPSE_EXPONENT
    )
    lateral = (k - 1.0) * torch.sqrt(u * u + v * v + 1.0) / k.clamp_min(0.2)
    # Osteophytes: lips at the rims, drawn as a thin flare toward the endplates.
    lateral = lateral - s["osteophyte"] * relative.abs() ** 8 * (0.5 + 0.5 * torch.sin(3 * torch.atan2(v, u)))
    plain_middle = 0.5 * (s["height"] + s["anterior_height"])
    dip = 0.5 * (plain_middle - s["middle_height"]) + 0.5 * s["concavity"]
    half_height = edge_height / 2 - dip * (1 - (k * k).clamp(max=1.0))
    rough = s.get("rough", 0.0)
    if rough > 0:
        ph = (float(shape.seed % 7), float(shape.seed % 5), 1.0)
        half_height = half_height + rough * waves(p, ph, 14.0)
    vertical = w.abs() - half_height
    return smooth_max(lateral, vertical, 3.0), lateral


def _posterior_parts(p: Tensor, shape: VertebraShape, side: float) -> Tensor:
    """Pedicle, articular pillar, lamina and transverse process of one side (`side` is +1 right, -1 left)."""
    s, level = shape.sizes, shape.level
    back, cw, cd, h = -s["depth"] / 2, s["canal_width"] / 2, s["canal_depth"], s["height"]
    pw, ph = s["pedicle_width"] / 2, s["pedicle_height"] / 2
    lumbar, cervical = level in LUMBAR, level in CERVICAL
    lift = 0.16 * h
    x_ped = cw + pw
    toe = 0.35 * s["pedicle_angle"] / 20.0 * pw
    pedicle = capsule(
        p, (side * (x_ped - toe), back + 4, lift), (side * (x_ped + toe), back - 0.55 * cd, lift - 1),
        (pw, pw), (1.0, 1.0, ph / pw),
    )  # fmt: skip
    pillar_x = cw + (3.5 if lumbar else 3.0)
    reach = 0.5 * (s["disc_below"] + h)
    radius = 5.2 if lumbar else (4.6 if not cervical else 4.8)
    up_x = pillar_x + (3.0 if lumbar else 0.5)
    down_x = pillar_x - (4.0 if lumbar else 0.5)
    up_y = back - (0.85 if lumbar else 0.62) * cd
    down_y = up_y - (3.0 if lumbar else 5.0 + s["facet_gap"])
    superior = capsule(
        p, (side * pillar_x, back - 0.8 * cd, lift - 2), (side * up_x, up_y, reach - 2.0 - s["facet_gap"]),
        (radius, 0.8 * radius), (1.0, 0.95 if lumbar else 0.7, 1.0),
    )  # fmt: skip
    inferior = capsule(
        p, (side * (pillar_x - 0.5), back - cd, lift - 4), (side * down_x, down_y, -reach - 1.0),
        (radius, 0.85 * radius), (0.95 if lumbar else 1.1, 1.0 if lumbar else 0.7, 1.0),
    )  # fmt: skip
    lamina_height = 0.42 * h if lumbar else 0.5 * h
    lamina = capsule(
        p, (side * (pillar_x - 1), back - 0.95 * cd, -3.0), (0.0, back - cd - 5.0, -6.0),
        (3.2, 3.6), (1.0, 0.9, lamina_height / 3.4),
    )  # fmt: skip
    span = s["transverse_span"] / 2
    sweep = 2.0 if lumbar else 0.32 * (span - x_ped)
    thick = 3.6 if lumbar else (4.6 if not cervical else 3.4)
    transverse = capsule(
        p, (side * (x_ped + 1), back - (0.55 if lumbar else 0.8) * cd, lift - 2),
        (side * (span - 3), back - 0.75 * cd - sweep, lift + (2.0 if lumbar else 0.0)),
        (thick + 1.0, thick), (1.0, 0.85, 1.35),
    )  # fmt: skip
    part = smooth_min(pedicle, superior, 3.0)
    part = smooth_min(part, inferior, 3.0)
    part = smooth_min(part, lamina, 2.5)
    return smooth_min(part, transverse, 2.5)


def posterior_distance(p: Tensor, shape: VertebraShape) -> Tensor:
    """Posterior elements of both sides with the spinous process."""
    s = shape.sizes
    back, cd, lumbar = -s["depth"] / 2, s["canal_depth"], shape.level in LUMBAR
    start = (0.0, back - cd - 4.5, -5.0)
    tip = (0.0, back - max(s["spinous_length"], cd + 9.0), -6.0 - s["spinous_drop"])
    spinous = capsule(p, start, tip, (3.0, 3.6), (1.0, 1.0, 2.9 if lumbar else 1.7))
    both = torch.minimum(_posterior_parts(p, shape, 1.0), _posterior_parts(p, shape, -1.0))
    elements = smooth_min(both, spinous, 3.0)
    canal = _canal_distance(p, shape)
    return smooth_max(elements, -canal, 1.5)


def _canal_distance(p: Tensor, shape: VertebraShape) -> Tensor:
    """The canal: an elliptic tube along the vertebra's up axis behind the body."""
    s = shape.sizes
    rx, ry = 0.5 * s["canal_width"], 0.5 * s["canal_depth"]
    radius = torch.hypot(p[..., 0] / rx, (p[..., 1] + s["depth"] / 2 + ry - 0.5) / ry)
    return (radius - 1.0) * min(rx, ry)


def vertebra_distances(p: Tensor, shape: VertebraShape) -> VertebraDistances:
    """Distances at points given in the vertebra's frame, with a patient's small irregularities.

    Args:
        p: (..., 3) mm, (right, anterior, up) from the body centre.
        shape: the vertebra.
    """
    seed = shape.seed
    ph = (float(seed % 97), float(seed % 89), float(seed % 83))
    wobble = 0.7 * waves(p, ph, 17.0) + 0.35 * waves(p, (ph[1], ph[2], ph[0]), 8.0)
    body, lateral = body_distance(p, shape)
    posterior = posterior_distance(p, shape)
    if shape.level in CERVICAL[:1]:
        # The atlas has no body: its anterior arch is a slim bar.
        body = capsule(p, (-9.0, 0.0, 0.0), (9.0, 0.0, 0.0), (3.6, 3.6), (1.0, 1.0, 1.5))
        mass = torch.minimum(
            capsule(p, (-18.0, -10.0, 4.0), (-18.0, -10.0, -5.0), (7.0, 7.0), (1.0, 1.2, 1.0)),
            capsule(p, (18.0, -10.0, 4.0), (18.0, -10.0, -5.0), (7.0, 7.0), (1.0, 1.2, 1.0)),
        )
        posterior = smooth_min(posterior, mass, 3.0)
    if shape.level == CERVICAL[1]:
        height = shape.sizes["height"]
        dens = capsule(
            p, (0.0, -1.0, 0.3 * height), (0.0, -1.0, 0.5 * height + 12.0), (5.0, 4.6), (1.0, 1.0, 1.0)
        )
        body = smooth_min(body, dens, 2.0)
    return VertebraDistances(body + 0.5 * wobble, posterior + wobble, lateral + 0.5 * wobble)


def lesion_distance(p: Tensor, lesion: Lesion) -> Tensor:
    """Irregular outline of a lesion: an ellipsoid pushed in and out by waves."""
    centre, radii = lesion.centre, lesion.radii
    mean = float(radii.mean())
    x, y, z = ((p[..., i] - float(centre[i])) / float(radii[i]) for i in range(3))
    k = torch.sqrt(x * x + y * y + z * z)
    phase = (float(lesion.phase[0]), float(lesion.phase[1]), float(lesion.phase[2]))
    return (k - 1.0) * mean + 0.22 * mean * waves(p, phase, 2.2 * mean + 4.0)


def wall_shell(p: Tensor, body: Tensor, lateral: Tensor, shape: VertebraShape) -> Tensor:
    """Points in the posterior wall's expected shell: within `WALL_SHELL_MM` of the canal-side face of the body.

    Args:
        p: (..., 3) mm in the vertebra's frame.
        body: distance (mm) of the body.
        lateral: distance (mm) of its side wall.
        shape: the vertebra.
    """
    s = shape.sizes
    inside = (body <= 0.3) & (lateral > -WALL_SHELL_MM)
    behind = (p[..., 1] < -0.28 * s["depth"]) & (p[..., 0].abs() < 0.5 * s["canal_width"])
    return inside & behind
