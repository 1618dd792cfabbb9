"""Gaps in the shell of a body, as the leak head sees them: each wall unrolled onto a plane.

The simulator lets cement out where cortex or endplate is gone, in proportion to the open area, so areas are summed,
not averaged, and the largest hole counts beside the sum. Operations of fixed shapes (ONNX has them all).
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from vertseg.labels import FINDINGS
from vertseg.nets.leak_names import DARK, PALE, SHELL_LAYERS
from vertseg.nets.pooling import lowest

_LYTIC: Final = FINDINGS.index("lytic_lesion")
_EDGE: Final = 0.55
"""Where walls begin, as share of the body's half size; softened by `_STEEP`."""

_SOFT: Final = 0.06
_STEEP: Final = 0.08
_ABSENT: Final = -1.0
"""Below the normalised value of anything but air."""


def gaps(image: Tensor, body: Tensor, findings: Tensor, place: Tensor) -> Tensor:
    """Gaps (N, G) in the order of `leak_names.gap_names`.

    Args:
        image: normalised (N, 1, X, Y, Z).
        body: probability (N, 1, X, Y, Z).
        findings: probabilities (N, F, X, Y, Z) in the order of `labels.FINDINGS`.
        place: (N, 3, X, Y, Z) position in the body's own box, -1 to 1 along each axis.
    """
    shell = body - lowest(body, 2 * SHELL_LAYERS + 1)
    lytic = findings[:, _LYTIC : _LYTIC + 1]
    walls = [_wall(image, shell * mask, lytic, axis) for mask, axis in _walls(place)]
    worse = torch.maximum(walls[4], walls[5])
    return torch.cat([*walls[:4], worse], 1)


def _above(value: Tensor, edge: float | Tensor, soft: float) -> Tensor:
    return torch.sigmoid((value - edge) / soft)


def _walls(place: Tensor) -> list[tuple[Tensor, int]]:
    """Soft mask of each wall's side of the body, and the axis across it: as `leak_names.WALLS`, sides right and left."""
    x, y, z = place[:, 0:1], place[:, 1:2], place[:, 2:3]
    sides = ((z, 2), (-z, 2), (-y, 1), (y, 1), (x, 0), (-x, 0))
    return [(_above(way, _EDGE, _STEEP), axis) for way, axis in sides]


def _wall(image: Tensor, mask: Tensor, lytic: Tensor, axis: int) -> Tensor:
    """Measures (N, W) of one wall in the order of `leak_names.WALL_GAPS`."""
    across = axis + 2
    seen = mask.amax(across)
    bright = (image * mask + _ABSENT * (1 - mask)).amax(across)
    eaten = (lytic * mask).amax(across)
    size = seen.flatten(1).sum(1, keepdim=True).clamp_min(1.0)
    usual = ((bright * seen).flatten(1).sum(1, keepdim=True) / size)[..., None, None]
    spread = (((bright - usual) ** 2 * seen).flatten(1).sum(1, keepdim=True) / size).clamp_min(1e-6).sqrt()
    dark = [_above(-bright, -edge, _SOFT) * seen for edge in DARK]
    pale = [_above(-bright, -share * usual, _SOFT) * seen for share in PALE]
    parts = [usual.flatten(1), spread]
    for part in (*dark, *pale, eaten * seen):
        parts.append(torch.log1p(part.flatten(1).sum(1, keepdim=True)))
    inner = _above(F.avg_pool2d(seen, 3, 1, 1), 0.8, 0.05)
    for part in (dark[0], pale[0], eaten):
        for window in (3, 5):
            hole = F.avg_pool2d(part, window, 1, window // 2) * inner
            parts.append(hole.flatten(1).amax(1, keepdim=True))
    return torch.cat(parts, 1)
