"""What the leak head sees of a vertebra: bone, shell and findings measured in its regions by the network's own outputs.

Whether cement leaks hangs on the size of the body, its density, gaps in the shell toward canal, disc or sides, lesions,
clefts and collapse. All of that is measured here with soft masks, in operations of fixed shapes (ONNX has them all).
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from vertseg.labels import Tissue
from vertseg.nets.leak_names import BARE, SHELL_LAYERS, THRESHOLDS
from vertseg.nets.pooling import highest, lowest

_AROUND_LAYERS: Final = 3
_EDGE: Final = 0.65
"""Where walls begin, as share of the body's half size; softened by `_SOFT`."""

_SOFT: Final = 0.08
_VALUE_OF_BONE: Final = 3.5
"""Normalised value of 1400 HU by the straight piece through marrow, which is bone without marrow (`cement.site`)."""

_RESISTANCE_RANGE: Final = (0.04, 0.6)
_STEEP: Final = 0.06


def describe(image: Tensor, marker: Tensor, tissue: Tensor, findings: Tensor) -> Tensor:
    """Descriptors (N, D) of the marked vertebra, in the order of `leak_names.descriptor_names`; no gradient flows back.

    Args:
        image: normalised (N, 1, X, Y, Z), axes right, anterior, up.
        marker: (N, 1, X, Y, Z) in [0, 1].
        tissue: logits (N, 3, X, Y, Z) in the order of `labels.Tissue`.
        findings: logits (N, F, X, Y, Z) in the order of `labels.FINDINGS`.
    """
    parts = tissue.detach().float().softmax(1)
    body, posterior = (
        parts[:, Tissue.BODY : Tissue.BODY + 1],
        parts[:, Tissue.POSTERIOR : Tissue.POSTERIOR + 1],
    )
    image, marker = image.detach().float(), marker.float()
    place, half = body_place(body)
    weights = _regions(body, body + posterior, place).flatten(2)
    values = _quantities(image, findings.detach().float().sigmoid(), posterior).flatten(2)
    size = weights.sum(2)
    means = (weights @ values.transpose(1, 2)) / size.unsqueeze(2).clamp_min(1.0)
    geometry = _geometry(body, posterior, marker, place, half)
    return torch.cat([means.flatten(1), torch.log(size + 1.0), geometry], 1)


def body_place(body: Tensor) -> tuple[Tensor, Tensor]:
    """Position (N, 3, X, Y, Z) of each voxel in the body's own box (-1 to 1 along each axis), and half sizes (N, 3)."""
    shape, total = body.shape[2:], body.flatten(1).sum(1, keepdim=True).clamp_min(1.0)
    places, halves = [], []
    for axis, n in enumerate(shape):
        others = [a + 2 for a in range(3) if a != axis]
        along = body.sum(others)[:, 0]
        at = torch.arange(n, device=body.device, dtype=body.dtype)
        centre = (along * at).sum(1, keepdim=True) / total
        variance = (along * (at - centre) ** 2).sum(1, keepdim=True) / total
        # The half width of a box is the root of three times the variance of its points.
        half = torch.sqrt(3.0 * variance + 0.25)
        view = [1, 1, 1, 1, 1]
        view[0], view[axis + 2] = -1, n
        places.append(((at - centre) / half).view(view).expand(-1, 1, *shape))
        halves.append(half)
    return torch.cat(places, 1), torch.cat(halves, 1)


def _above(value: Tensor, edge: float, soft: float) -> Tensor:
    return torch.sigmoid((value - edge) / soft)


def _regions(body: Tensor, bone: Tensor, place: Tensor) -> Tensor:
    """Soft masks (N, R, X, Y, Z) in the order of `leak_names.REGIONS`."""
    core = lowest(body, 2 * SHELL_LAYERS + 1)
    shell = body - core
    x, y, z = place[:, 0:1], place[:, 1:2], place[:, 2:3]
    upper, lower = _above(z, _EDGE, _SOFT), _above(-z, _EDGE, _SOFT)
    waist = (1 - upper) * (1 - lower)
    front, back, side = _above(y, _EDGE, _SOFT), _above(-y, _EDGE, _SOFT), _above(x.abs(), _EDGE, _SOFT)
    middle = 1 - _above(x.abs(), 0.35, _SOFT)
    hole = middle * (1 - _above(z.abs(), 0.5, _SOFT)) * _above(-y, 0.3, _SOFT) * (1 - _above(-y, 1.3, _SOFT))
    around = highest(bone, 2 * _AROUND_LAYERS + 1) - bone
    masks = [
        core, core * _above(z, 0.3, _SOFT), core * _above(-z, 0.3, _SOFT), core * _above(y, 0.3, _SOFT),
        shell * upper, shell * lower, shell * waist * back * (1 - side), shell * waist * front,
        shell * waist * side * (1 - back), hole, around,
    ]  # fmt: skip
    return torch.cat(masks, 1)


def _quantities(image: Tensor, findings: Tensor, posterior: Tensor) -> Tensor:
    """What is averaged (N, Q, X, Y, Z), in the order of `leak_names.QUANTITIES`."""
    rough = (image - F.avg_pool3d(image, 3, 1, 1)).abs()
    resistance = (image / _VALUE_OF_BONE).clamp(*_RESISTANCE_RANGE)
    above = [_above(image, t, _STEEP) for t in THRESHOLDS]
    densest = highest(image, 3)
    bare = [_above(-densest, -t, _STEEP) for t in BARE]
    return torch.cat([image, rough, resistance, *above, *bare, findings, posterior], 1)


def _geometry(body: Tensor, posterior: Tensor, marker: Tensor, place: Tensor, half: Tensor) -> Tensor:
    """(N, G) in the order of `leak_names.GEOMETRY`."""
    y = place[:, 1:2]
    thirds = [
        _above(y, 0.33, _SOFT),
        (1 - _above(y, 0.33, _SOFT)) * (1 - _above(-y, 0.33, _SOFT)),
        _above(-y, 0.33, _SOFT),
    ]
    heights = []
    for third in thirds:
        part = body * third
        # Mean height of the columns, by their own volume: those at the rim count little.
        column = part.sum(4)
        heights.append((column**2).flatten(1).sum(1) / column.flatten(1).sum(1).clamp_min(1.0))
    inside = (marker * (body + posterior)).flatten(1).sum(1) / marker.flatten(1).sum(1).clamp_min(1.0)
    counts = [torch.log(part.flatten(1).sum(1) + 1.0) for part in (body, posterior)]
    lengths = torch.log(half + 0.1)
    columns = [torch.log(h + 0.5) for h in heights]
    return torch.cat([torch.stack(counts, 1), lengths, torch.stack([*columns, inside], 1)], 1)
