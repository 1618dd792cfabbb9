"""Signed distances of one vertebra's body and posterior elements, in its own frame (right, anterior, up; mm)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vertseg.labels import CERVICAL
from vertseg.phantom.shapes import smooth_max, smooth_min, stack_points, waves
from vertseg.phantom.types import Lesion, VertebraShape
from vertseg.phantom.vertebra.facets import Side, joint_gap_distance, open_joints
from vertseg.phantom.vertebra.posterior import canal_distance, posterior_distance
from vertseg.phantom.vertebra.upper_cervical import atlas_distances, dens_distance

FRONT_SQUARENESS, BACK_SQUARENESS = 0.12, 0.85
"""How far the section goes from an ellipse (0) to a rectangle (2), in front and toward the canal."""
RING_SHARE = 0.86
"""Where the ring apophysis begins: the endplate is hollow inside this share of the section's radius."""
WALL_SHELL_MM = 2.0
"""Thickness of the expected shell in which a missing cortex counts as a wall defect."""


@dataclass(frozen=True)
class VertebraDistances:
    """Distances (mm) at the given points, negative inside.

    Attributes:
        body: the body.
        posterior: the posterior elements.
        lateral: the body's side wall without its endplates.
        endplate: the body's endplates without its side wall; where it is above `lateral`, the nearest
            surface of the body is an endplate.
        joint: the gap of the facet joints with the vertebra above, filled by cartilage.
    """

    body: Tensor
    posterior: Tensor
    lateral: Tensor
    endplate: Tensor
    joint: Tensor


def _section(u: Tensor, v: Tensor, waist: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """Share (...) of the way from the body's axis to its side wall, and of the way to its front (1) or back (-1).

    A kidney or a heart: rounded in front, wider and flatter behind, with a hollow toward the canal.
    """
    s = shape.sizes
    half_width, half_depth = s["width"] / 2, s["depth"] / 2
    # Depth is measured in the midline: the corners beside the canal reach farther back.
    hollow = s.get("wall_hollow", 0.07 * s["depth"]) * (1.0 - torch.exp(-((u * (2.0 / half_width)).square())))
    bulge = hollow * (v * (-1.0 / half_depth)).clamp(0.0, 1.5)
    # The posterior wall has little waist.
    lean = torch.where(v > 0, waist, 0.6 + 0.4 * waist)
    b = (v + bulge) / (half_depth * lean)
    taper = 1.0 - s.get("taper", 0.04) * b.clamp(-1.0, 1.0)
    a2, b2 = (u / (half_width * waist * taper)).square(), b.square()
    square = torch.where(v > 0, FRONT_SQUARENESS, BACK_SQUARENESS)
    return torch.sqrt((a2 + b2 - square * a2 * b2 / (a2 + b2 + 1e-6)).clamp_min(0.0) + 1e-9), b


def _endplates(u: Tensor, k: Tensor, b: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """How much lower the upper and how much higher the lower endplate is than its rim (mm)."""
    s = shape.sizes
    dip = s["concavity"] + max(0.0, 0.5 * (s["height"] + s["anterior_height"]) - s["middle_height"])
    hollow = ((1.0 - (k * (1.0 / RING_SHARE)).square()).clamp_min(0.0) * 1.6).clamp(max=1.0)
    # The lower endplate's hollow is deeper and lies farther back.
    back = hollow * (1.0 - 0.35 * b.clamp(-1.0, 1.0))
    upper, lower = 0.42 * dip * hollow, 0.58 * dip * back
    if s.get("uncus", 0.0) > 0:
        side = ((u.abs() * (2.0 / s["width"]) - 0.55) * 2.2).clamp(0.0, 1.0).square() * (
            0.75 - 0.4 * b
        ).clamp(0.0, 1.0)
        upper = upper - s["uncus"] * side
        lower = lower + 0.7 * s["uncus"] * side - 0.35 * s["uncus"] * (b - 0.3).clamp(0.0, 0.7)
    return upper, lower


def _body_surfaces(p: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """Side wall and endplates of the body (mm)."""
    s = shape.sizes
    u, v, w = p[..., 0], p[..., 1], p[..., 2]
    share = (v / s["depth"] + 0.5).clamp(0.0, 1.0)
    edge = s["height"] + (s["anterior_height"] - s["height"]) * share
    relative = (2 * w / edge).clamp(-1.0, 1.0)
    waist = 1.0 - s["waist"] * (1 - relative * relative)
    k, b = _section(u, v, waist, shape)
    lateral = (k - 1.0) * torch.sqrt(u * u + v * v + 1.0) / k.clamp_min(0.2)
    if s["osteophyte"] > 0:
        # Lips at the rims, drawn as a thin flare toward the endplates, that spare the canal.
        lip = 0.55 + 0.45 * torch.sin(3 * torch.atan2(v, u) + float(shape.seed % 11))
        lateral = lateral - s["osteophyte"] * relative.square().square().square() * lip * (
            v * 0.2 + 1.0
        ).clamp(0.0, 1.0)
    upper, lower = _endplates(u, k, b, shape)
    rough = s.get("rough", 0.0)
    if rough > 0:
        ph = (float(shape.seed % 7), float(shape.seed % 5), 1.0)
        edge = edge + 2.0 * rough * waves(p, ph, 14.0)
    vertical = torch.maximum(w + upper, lower - w) - 0.5 * edge
    return lateral, vertical


def body_distance(p: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """Body and its side wall (mm): kidney-shaped section with a waist, hollow posterior wall and endplates."""
    lateral, vertical = _body_surfaces(p, shape)
    return smooth_max(lateral, vertical, shape.sizes.get("rim", 2.5)), lateral


def _warped(p: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """Points bent a little, so that no vertebra is symmetric, and a field (mm) of small irregularities."""
    seed = shape.seed
    ph = tuple(float(seed % n) for n in (97, 89, 83))
    size = shape.sizes.get("irregular", 1.0)
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    k = 6.2832 / 62.0
    bend, lean = torch.sin(k * (z + 0.6 * y) + ph[0]), torch.sin(k * (x - 0.5 * z) + ph[1])
    lift = torch.sin(k * (x + 0.7 * y) + ph[2])
    bent = stack_points(x + 0.9 * size * bend, y + 0.9 * size * lean, z + 0.9 * size * lift)
    return bent, 0.35 * size * waves(p, (ph[0], ph[1], ph[2]), 15.0)


def vertebra_distances(p: Tensor, shape: VertebraShape) -> VertebraDistances:
    """Distances at points given in the vertebra's frame, with a patient's small irregularities.

    Args:
        p: (..., 3) mm, (right, anterior, up) from the body centre.
        shape: the vertebra.
    """
    bent, wobble = _warped(p, shape)
    lateral, vertical = _body_surfaces(bent, shape)
    if shape.level == CERVICAL[0]:
        body, posterior = atlas_distances(bent, shape)
        posterior = posterior + wobble
    else:
        body = smooth_max(lateral, vertical, shape.sizes.get("rim", 2.5))
        posterior = open_joints(posterior_distance(bent, shape) + wobble, p, shape)
    if shape.level == CERVICAL[1]:
        body = smooth_min(body, dens_distance(bent, shape), 2.0)
    joint = joint_gap_distance(p, shape)
    half = 0.5 * wobble
    return VertebraDistances(body + half, posterior, lateral + half, vertical + half, joint)


def canal_distances(p: Tensor, shape: VertebraShape) -> tuple[Tensor, Tensor]:
    """The canal's tube, which is taken out of the arch, and the upright box around it: negative inside, not to scale.

    The box holds the tube and the lateral recesses between it, the wall and the pedicles; both go on above and
    below, and neither spares the body.

    Args:
        p: (..., 3) mm, (right, anterior, up) from the body centre, before any fracture.
        shape: the vertebra.
    """
    s = shape.sizes
    bent, _ = _warped(p, shape)
    side = Side(bent[..., 0].abs(), bent[..., 1] + 0.5 * s["depth"], bent[..., 2])
    across = side.u - 0.5 * s["canal_width"]
    return canal_distance(side, s), torch.maximum(
        across, (side.v + 0.5 * s["canal_depth"]).abs() - 0.5 * s["canal_depth"]
    )


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
