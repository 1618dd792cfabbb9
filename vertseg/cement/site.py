"""The vertebra into which cement is injected, as fields on an isotropic grid in its own frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vertseg.errors import InputError
from vertseg.labels import Tissue

MARROW_HU: Final = 0.0
"""HU of the marrow of an adult vertebra: red marrow of about 50 and fat of -90 in equal parts, -40 to 30."""

TRABECULA_HU: Final = 1400.0
"""HU of a trabecula without marrow, 1200-1700. With 150 HU in the body it gives a bone share of 0.11 and with
80 HU 0.06, as histology and micro-CT of healthy and osteoporotic vertebrae do (Hildebrand 1999, JBMR
14:1167-74: 0.09 +- 0.02 in lumbar vertebrae)."""

GAS_HU: Final = -120.0
"""Below this, the inside of a body is gas."""

SOFT_HU: Final = 130.0
"""Below this, the shell of a lytic lesion holds no cortex."""

FORAMEN_MM: Final = 2.6
"""Usual radius of the basivertebral foramen: half of 5.4 mm (see `parameters.InjectionParameters`)."""

MASKS: Final = ("open_cortex", "cleft", "endplate_break", "lytic_lesion", "posterior_wall_defect")

Array = NDArray[np.generic]


@dataclass(frozen=True)
class InjectionSite:
    """One vertebra; tensors are (X, Y, Z) with X to the right, Y anterior, Z up.

    Attributes:
        bone_volume: float32 share of bone in the marrow space (BV/TV), 0 to 1; the shell is not part of it.
        body: vertebral body, cortex included.
        posterior: posterior elements.
        canal: spinal canal behind the body.
        open_cortex: shell without cortex on any side (lesion, wall defect, fracture line).
        cleft: intravertebral cleft that holds gas or fluid.
        endplate_break: shell of a broken endplate.
        foramen_mm: radius of the basivertebral foramen.
        spacing_mm: voxel edge.
        lesion: soft tumour in place of marrow; None for none.
        depth_mm: how deep the middle of each voxel lies under the body's surface, where that is known finer than
            the mask tells; None counts each voxel of the body as full.
        open_share: share of each voxel's surface whose cortex or endplate is gone; None takes the masks.
        cleft_share: share of each voxel that a cleft takes; None takes the mask.
    """

    bone_volume: Tensor
    body: Tensor
    posterior: Tensor
    canal: Tensor
    open_cortex: Tensor
    cleft: Tensor
    endplate_break: Tensor
    foramen_mm: float
    spacing_mm: float
    lesion: Tensor | None = None
    depth_mm: Tensor | None = None
    open_share: Tensor | None = None
    cleft_share: Tensor | None = None

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in ml."""
        return self.spacing_mm**3 / 1000.0


def bone_volume_from_hu(hu: Tensor) -> Tensor:
    """Share of bone (BV/TV, 0 to 1) from HU, by mixing marrow and trabecula (`MARROW_HU`, `TRABECULA_HU`)."""
    return ((hu - MARROW_HU) / (TRABECULA_HU - MARROW_HU)).clamp(0.0, 1.0)


def site_from_labels(
    hu: Array | Tensor,
    tissue: Array | Tensor,
    masks: Mapping[str, Array | Tensor],
    spacing_mm: float,
    foramen_mm: float = FORAMEN_MM,
) -> InjectionSite:
    """Site from a vertebra's crop, of a phantom or of a segmented scan.

    Where the masks lack `cleft`, gas inside the body is one; where they lack `open_cortex`, the shell of a lytic
    lesion is open where it is as soft as the lesion. A `posterior_wall_defect` opens the cortex in any case.

    Args:
        hu: (X, Y, Z) HU in the vertebra's frame (right, anterior, up), without noise if there is a choice.
        tissue: (X, Y, Z) `vertseg.labels.Tissue` numbers of this vertebra alone.
        masks: name in `MASKS` -> (X, Y, Z) mask; any may be left out.
        spacing_mm: voxel edge of the isotropic grid.
        foramen_mm: radius of the basivertebral foramen.

    Raises:
        InputError: an unknown mask, a shape that differs, or no vertebral body.
    """
    values = torch.as_tensor(hu).float()
    device = values.device
    parts = torch.as_tensor(tissue).to(device)
    given = {name: torch.as_tensor(mask).to(device) > 0 for name, mask in masks.items()}
    _check(values, parts, given)
    body, posterior = parts == int(Tissue.BODY), parts == int(Tissue.POSTERIOR)
    empty = torch.zeros_like(body)
    lesion = given.get("lytic_lesion", empty) & body
    cleft = given["cleft"] & body if "cleft" in given else body & (values < GAS_HU)
    layers = max(1, round(1.5 / spacing_mm))
    shell = body & ~erode(body, layers)
    wall = given.get("posterior_wall_defect", empty)
    lysed = lesion & shell & (values < SOFT_HU)
    open_cortex = (given.get("open_cortex", lysed) | wall) & body
    broken = given.get("endplate_break", empty) & body
    known = (body & ~shell) | lesion | cleft
    bone = _fill(bone_volume_from_hu(values), known, body)
    return InjectionSite(
        bone, body, posterior, canal_region(body, posterior, spacing_mm), open_cortex, cleft, broken,
        foramen_mm, spacing_mm, lesion,
    )  # fmt: skip


def _check(values: Tensor, parts: Tensor, given: Mapping[str, Tensor]) -> None:
    unknown = sorted(set(given) - set(MASKS))
    if unknown:
        raise InputError(
            f"'{unknown[0]}' is no mask of an injection site; known masks are {', '.join(MASKS)}."
        )
    for name, field in {"tissue": parts, **given}.items():
        if field.shape != values.shape:
            raise InputError(
                f"The {name} mask has shape {tuple(field.shape)} but the image {tuple(values.shape)}; "
                "give them on one grid."
            )
    if not bool((parts == int(Tissue.BODY)).any()):
        raise InputError("The crop holds no vertebral body; cement has nowhere to go.")


def dilate(mask: Tensor, voxels: int) -> Tensor:
    """The mask (X, Y, Z) grown by a cube of `voxels` on every side."""
    if voxels < 1:
        return mask
    size = 2 * voxels + 1
    return F.max_pool3d(mask[None, None].float(), size, 1, voxels)[0, 0] > 0.5


def erode(mask: Tensor, voxels: int) -> Tensor:
    """The mask (X, Y, Z) shrunk by a cube of `voxels`; beyond the grid counts as outside."""
    if voxels < 1:
        return mask
    padded = F.pad(mask, [voxels] * 6)
    size = 2 * voxels + 1
    return F.max_pool3d((~padded)[None, None].float(), size, 1)[0, 0] < 0.5


BESIDE_MM: Final = 1.5
"""What is nearer than this to a lesion is taken for eaten by it."""


def beside(mask: Tensor, spacing_mm: float) -> Tensor:
    """The mask (X, Y, Z) with what lies within `BESIDE_MM` of it."""
    return dilate(mask, max(1, round(BESIDE_MM / spacing_mm)))


def beyond_mm(mask: Tensor, reach_mm: float, spacing_mm: float) -> Tensor:
    """Distance in mm (X, Y, Z) of each voxel's middle from the faces of the mask; 0 inside, infinite beyond the reach.

    Along the axes, as a cube grows (`dilate`); the middles of the first layer lie half a voxel outside.
    """
    distance = torch.where(mask, 0.0, torch.inf)
    grown = mask
    for layer in range(int(reach_mm / spacing_mm + 0.5)):
        wider = dilate(grown, 1)
        distance = torch.where(wider & ~grown, (layer + 0.5) * spacing_mm, distance)
        grown = wider
    return distance


def _fill(values: Tensor, known: Tensor, wanted: Tensor) -> Tensor:
    """Values continued from `known` voxels to `wanted` ones by the mean of known neighbours, layer by layer."""
    value, weight = torch.where(known, values, 0.0), known.float()
    for _ in range(64):
        if not bool((wanted & (weight == 0)).any()):
            break
        both = F.avg_pool3d(torch.stack([value, weight])[:, None], 3, 1, 1)[:, 0]
        grown = (weight == 0) & (both[1] > 0)
        value = torch.where(grown, both[0] / both[1].clamp_min(1e-9), value)
        weight = torch.where(grown, 1.0, weight)
    return torch.where(wanted, value, 0.0)


def canal_region(body: Tensor, posterior: Tensor, spacing_mm: float) -> Tensor:
    """The space behind the body and between the pedicles, down to the laminae or 20 mm (X, Y, Z).

    Where no posterior elements are near, a canal of 22 mm width in the middle is taken.
    """
    x = torch.arange(body.shape[0], device=body.device)
    y = torch.arange(body.shape[1], device=body.device)[None, :, None]
    back = torch.where(body.any(1, keepdim=True), body.int().argmax(1, keepdim=True), body.shape[1])
    middle = float((body.float().sum((1, 2)) * x).sum() / body.sum())
    depth = round(20.0 / spacing_mm)
    lowest = int(body.any(2).any(0).int().argmax())
    behind = (y < back) if bool((back < body.shape[1]).any()) else torch.zeros_like(body)
    edge = posterior[:, max(0, lowest - round(6.0 / spacing_mm)) : lowest + 1].any(2).any(1)
    left, right = edge & (x < middle - 1), edge & (x > middle + 1)
    half = 11.0 / spacing_mm
    low = int(torch.nonzero(left).max()) + 1 if bool(left.any()) else int(middle - half)
    high = int(torch.nonzero(right).min()) if bool(right.any()) else int(middle + half) + 1
    between = ((x >= low) & (x < high))[:, None, None]
    return between & behind & (y >= lowest - depth) & ~posterior & ~body & body.any(0).any(0)[None, None, :]
