"""From a treated vertebra's description to the fields that the injection simulator reads.

`site_of` draws the vertebra's bone with `vertseg.phantom` and lays
the fracture lines, clefts and lesions of the description into it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.cement.openings import body_surface
from vertseg.cement.site import InjectionSite, bone_volume_from_hu, canal_region, dilate
from vertseg.cement.validation.cohort_mix import TreatedVertebra
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.shapes import ellipsoid, waves
from vertseg.phantom.types import Lesion, ScanConfig, VertebraShape
from vertseg.phantom.vertebra.distances import VertebraDistances, lesion_distance, vertebra_distances

VISIBLE_MM2: Final = 15.0
"""Open cortex from which on a reader of the CT calls it disrupted: a gap of 1.5 mm over 10 mm. Assumption; it finds
cortex disrupted in about the share of osteoporotic fractures that CT does, 68 of 101 (Ikeda 2013)."""

CANAL_SIDE_MM: Final = 2.5
"""Open cortex this near to the canal counts as the posterior wall's."""

MARROW_OFFSET_HU: Final = {"lytic": (30.0, 80.0), "mixed": (130.0, 260.0), "sclerotic": (400.0, 800.0)}
"""HU inside a lesion, uniform. Assumption, in the range of what `vertseg.phantom.pathology.tumours` draws."""

COMPACTION: Final = 0.9
"""A collapsed front of the body is denser by this times the height lost: nearly all bone stays (as the phantom)."""


@dataclass(frozen=True)
class SiteReading:
    """What a reader of the CT would note of a site: areas in mm2 of open cortex, and the body's size in ml."""

    open_mm2: float
    wall_mm2: float
    endplate_mm2: float
    cleft_ml: float
    body_ml: float


def site_of(vertebra: TreatedVertebra, spacing_mm: float = 1.5) -> InjectionSite:
    """The vertebra as fields on an isotropic grid in its own frame (right, anterior, up)."""
    shape = _shape(vertebra)
    p = _points(shape, spacing_mm)
    distances = vertebra_distances(p, shape)
    body = (distances.body <= 0) & (distances.body <= distances.posterior)
    posterior = (distances.posterior <= 0) & ~body
    rng = np.random.default_rng([vertebra.seed, 71])
    shell = body & (distances.body > -1.8 * spacing_mm)
    side = shell & (distances.lateral > -1.8 * spacing_mm)
    hollow = _cleft(vertebra, shape, rng)
    cleft = (ellipsoid(p, hollow.centre, hollow.radii) <= 0) & body
    cleft = cleft if vertebra.cleft else torch.zeros_like(cleft)
    open_cortex = _fracture_line(vertebra, shape, p, rng) & side
    plates = _endplate_crack(vertebra, shape, p, rng, hollow) & shell & (distances.lateral < -2.0)
    lesion, lesion_hu, holes = _lesion(vertebra, shape, p, rng)
    bone = _marrow(vertebra, shape, p, distances)
    bone = torch.where(lesion, torch.full_like(bone, lesion_hu), bone)
    soft = lesion & body if vertebra.lesion in ("lytic", "mixed") else None
    return InjectionSite(
        torch.where(body, bone_volume_from_hu(bone), 0.0), body, posterior,
        canal_region(body, posterior, spacing_mm), open_cortex | (holes & side), cleft, plates,
        vertebra.foramen_mm, spacing_mm, soft,
    )  # fmt: skip


def read_site(site: InjectionSite) -> SiteReading:
    """Areas and volumes that the clinical factors are read from."""
    area = body_surface(site).area_mm2
    near = dilate(site.canal, max(1, round(CANAL_SIDE_MM / site.spacing_mm)))
    return SiteReading(
        float(area[site.open_cortex].sum()),
        float(area[site.open_cortex & near].sum()),
        float(area[site.endplate_break].sum()),
        float(site.cleft.sum()) * site.voxel_ml,
        float(site.body.sum()) * site.voxel_ml,
    )


def _shape(vertebra: TreatedVertebra) -> VertebraShape:
    """The level's bone in this patient, collapsed by the given loss as `phantom.pathology.fractures.collapsed` does in outline."""
    for k in range(50):
        anatomy = draw_anatomy(vertebra.anatomy_seed + (k << 31), ScanConfig(pathology=0.0))
        found = [s for s in anatomy.vertebrae if s.level == vertebra.level]
        if found:
            break
    shape, loss = found[0], vertebra.height_loss
    s = dict(shape.sizes)
    if vertebra.deformity == "wedge":
        s["anterior_height"] *= 1 - loss
        s["middle_height"] *= 1 - 0.6 * loss
    elif vertebra.deformity == "biconcave":
        s["middle_height"] *= 1 - loss
        s["anterior_height"] *= 1 - 0.25 * loss
    else:
        for key in ("height", "anterior_height", "middle_height"):
            s[key] *= 1 - loss
    return replace(shape, sizes=s, height_loss=loss, lesions=(), wall_hole=None)


def _points(shape: VertebraShape, spacing_mm: float) -> Tensor:
    """Points (X, Y, Z, 3) in mm of a box that holds the body, the canal and the pedicles."""
    s = shape.sizes
    half = s["width"] / 2 + 7.0
    high = max(s["height"], s["anterior_height"]) / 2 + 5.0
    spans = ((-half, half), (-s["depth"] / 2 - 22.0, s["depth"] / 2 + 7.0), (-high, high))
    axes = []
    for low, top in spans:
        n = int(np.ceil((top - low) / spacing_mm)) + 1
        axes.append(0.5 * (low + top) + (torch.arange(n, dtype=torch.float32) - 0.5 * (n - 1)) * spacing_mm)
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _local_height(shape: VertebraShape, v: float) -> float:
    """Height of the body's rim at `v` mm anterior of its centre."""
    s = shape.sizes
    share = min(1.0, max(0.0, v / s["depth"] + 0.5))
    return s["height"] + (s["anterior_height"] - s["height"]) * share


@dataclass(frozen=True)
class _Cleft:
    """An ellipsoid: centre (3,) and semi-axes (3,) in mm."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


def _cleft(vertebra: TreatedVertebra, shape: VertebraShape, rng: np.random.Generator) -> _Cleft:
    """A gap under the upper endplate in the front, as it lies open in the prone patient.

    Most are anterosuperior (Lane 2002, AJNR 23:1642-6), next to an endplate, and open when the patient lies prone
    (Krauss 2006, Eur Radiol 16:1015-21). Vertebrae with one took 5.5 +- 1.8 ml of cement (28 patients, doi
    10.1177/2309499018806700), 1.2 ml more than the usual 4.3: the sizes, assumptions, give about that volume.
    """
    s = shape.sizes
    radii = (
        float(s["width"] * rng.uniform(0.25, 0.40)),
        float(s["depth"] * rng.uniform(0.20, 0.36)),
        float(rng.uniform(1.5, 3.5)),
    )
    # It reaches the endplate's thin shell, and the front wall where its fracture is open there.
    v = 0.5 * s["depth"] - radii[1] + (0.5 if vertebra.wall_break == "front" else -2.0)
    up = max(0.0, 0.5 * min(_local_height(shape, v), s["middle_height"]) - radii[2] + 0.5)
    return _Cleft((float(s["width"] * rng.uniform(-0.08, 0.08)), v, up), radii)


def _fracture_line(
    vertebra: TreatedVertebra, shape: VertebraShape, p: Tensor, rng: np.random.Generator
) -> Tensor:
    """Places of the side wall along a gap of 1-4 mm, on the side of the broken endplate, mostly in front.

    Bodies give way in front. Sizes are assumptions: from a fissure to the step beside a displaced corner.
    """
    s = shape.sizes
    angle, arc, thick = rng.normal(90, 40), rng.uniform(15, 50), rng.uniform(0.5, 2.0)
    across, wide, share = rng.uniform(-0.25, 0.25), rng.uniform(3.0, 8.0), rng.uniform(0.05, 0.3)
    up = share * (s["height"] if vertebra.wall_break == "back" else _local_height(shape, 0.4 * s["depth"]))
    up = -up if vertebra.endplate_break < 0 else up
    tilt = rng.uniform(-0.3, 0.3)
    level = (p[..., 2] - up - float(tilt) * p[..., 0]).abs() < thick
    if vertebra.wall_break == "front":
        turn = torch.rad2deg(torch.atan2(p[..., 1], p[..., 0])) - float(angle)
        return level & (((turn + 180) % 360 - 180).abs() < float(arc))
    if vertebra.wall_break == "back":
        near = (p[..., 0] - float(across) * s["canal_width"]).abs() < float(wide)
        return level & near & (p[..., 1] < -0.2 * s["depth"])
    return torch.zeros_like(level)


def _endplate_crack(
    vertebra: TreatedVertebra, shape: VertebraShape, p: Tensor, rng: np.random.Generator, cleft: _Cleft
) -> Tensor:
    """Places of an endplate along a crack of 0.5-2 mm by 8-20 mm, above the cleft if there is one. Assumptions."""
    s = shape.sizes
    u, v = s["width"] * rng.uniform(-0.2, 0.2), s["depth"] * rng.uniform(-0.15, 0.25)
    long, short, turn = rng.uniform(4.0, 10.0), rng.uniform(0.25, 1.0), rng.uniform(0, np.pi)
    if vertebra.endplate_break == 0:
        return torch.zeros(p.shape[:-1], dtype=torch.bool)
    if vertebra.cleft:
        v = float(np.clip(v, cleft.centre[1] - cleft.radii[1], cleft.centre[1] + 0.5 * cleft.radii[1]))
    x, y = p[..., 0] - float(u), p[..., 1] - float(v)
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    crack = ((x * cos + y * sin).abs() < float(long)) & ((y * cos - x * sin).abs() < float(short))
    return crack & (vertebra.endplate_break * p[..., 2] > 0)


def _lesion(
    vertebra: TreatedVertebra, shape: VertebraShape, p: Tensor, rng: np.random.Generator
) -> tuple[Tensor, float, Tensor]:
    """Voxels of a metastasis, their HU, and where it has destroyed the shell: in patches."""
    nowhere = torch.zeros(p.shape[:-1], dtype=torch.bool)
    if not vertebra.lesion:
        return nowhere, 0.0, nowhere
    s = shape.sizes
    half = np.array([s["width"], s["depth"], min(s["height"], s["anterior_height"])]) / 2
    radii = vertebra.lesion_share * half * rng.uniform(0.8, 1.2, 3)
    centre = half * rng.uniform(-0.5, 0.5, 3)
    if vertebra.lesion_at_wall:
        centre[1] = -half[1] * rng.uniform(0.35, 0.8)
    hu = float(rng.uniform(*MARROW_OFFSET_HU[vertebra.lesion]))
    phase = rng.uniform(0, 6.28, 3)
    inside = lesion_distance(p, Lesion("lytic_lesion", centre, radii, hu, vertebra.lesion_breaks, phase)) <= 0
    if not vertebra.lesion_breaks:
        return inside, hu, nowhere
    patches = waves(p, (float(phase[2]), float(phase[0]), float(phase[1])), 9.0) > -0.1
    return inside, hu, inside & patches


def _marrow(
    vertebra: TreatedVertebra, shape: VertebraShape, p: Tensor, distances: VertebraDistances
) -> Tensor:
    """HU of the marrow space: denser near the endplates and where the body is crushed (as the phantom)."""
    s = shape.sizes
    near_plate = (p[..., 2].abs() / (0.5 * s["height"])).clamp(0, 1) ** 4
    crushed = 1.0 + COMPACTION * vertebra.height_loss * (p[..., 1] > -0.25 * s["depth"])
    texture = 0.1 * waves(p, (float(shape.seed % 11), float(shape.seed % 7), 2.0), 5.0)
    hu = vertebra.trabecular_hu * (1 + texture) * (1 + 0.35 * near_plate) * crushed
    foramen = torch.hypot(p[..., 0], p[..., 2]) < vertebra.foramen_mm
    behind = foramen & (p[..., 1] < -0.5 * s["depth"] + 8.0)
    return torch.where(behind & (distances.body < distances.posterior), 20.0, hu)
