"""Soft tissue and other bones of a label map on a canvas; what the map leaves unlabelled is made up."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import SACRUM, LocateClass
from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.painting.label_maps import SOFT_TISSUES
from vertseg.phantom.painting.labelled_anatomy import BONES
from vertseg.phantom.painting.painted_canvas import MappedPart, PaintedCanvas
from vertseg.phantom.painting.painted_spine import paint_canal_and_discs
from vertseg.phantom.shapes import smooth_max, waves
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.skeleton.bars import BoneUnion, UnionSpace
from vertseg.phantom.types import Anatomy
from vertseg.phantom.vertebra.bones import paint_union

_SOFT_LATTICE_MM: Final = 3.0
_BONE_KINDS: Final = {"bone": (LocateClass.OTHER_BONE, 0, 0.9), "sacrum": (LocateClass.SACRUM, SACRUM, 0.7)}
"""Class, level and share of the vertebrae's density in the marrow of the map's other bones."""
_WIDE_LATTICE_MM: Final = 5.0


@dataclass(frozen=True)
class _Texture:
    """Smooth random fields (X, Y, Z) of 9, 17, 60 and 240 mm wavelength."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor
    broad: Tensor

    def in_box(self, box: Box) -> "_Texture":
        return _Texture(self.fine[box], self.middle[box], self.coarse[box], self.broad[box])


def paint_tissues(scene: PaintedCanvas) -> LabelSheet:
    """Paint everything of the map but the vertebrae, and label its other bones and sacrum."""
    canvas, body = scene.canvas, scene.body
    texture = _texture(canvas, body.anatomy)
    bone = mapped_bones(scene)
    _paint_envelope(scene, texture, bone)
    _paint_table(scene)
    paint_canal_and_discs(scene)
    for name in SOFT_TISSUES:
        if name in body.labelled.tissues:
            _paint_tissue(scene, name, texture)
    sheet = LabelSheet.blank(canvas)
    for name, union in bone.items():
        kind, level, marrow = _BONE_KINDS[name]
        paint_union(canvas, sheet, union, (kind, level, marrow * body.anatomy.hu["trabecular"]), body.anatomy)
    return sheet


def _texture(canvas: Canvas, anatomy: Anatomy) -> _Texture:
    phase = _phase(anatomy)
    (fine,) = canvas.field(None, lambda p: (waves(p, phase, 9.0),), 3.0)

    def smoother(p: Tensor) -> tuple[Tensor, ...]:
        turned = (phase[2], phase[1], phase[0])
        return waves(p, turned, 17.0), waves(p, (phase[1], phase[0], 1.0), 60.0), waves(p, phase, 240.0)

    return _Texture(fine, *canvas.field(None, smoother, 6.0))


def _phase(anatomy: Anatomy) -> tuple[float, float, float]:
    a, b, c = np.random.default_rng([anatomy.seed, 43]).uniform(0, 6.28, 3)
    return float(a), float(b), float(c)


def mapped_bones(scene: PaintedCanvas) -> dict[str, BoneUnion]:
    """The map's bones apart from vertebrae that the canvas sees, by the names of `labelled_anatomy.BONES`."""
    rng = np.random.default_rng([scene.body.anatomy.seed, 44])
    space, unions = UnionSpace(scene.canvas), {}
    for name in BONES:
        cortex = float(rng.uniform(0.4, 1.0))
        field = scene.body.labelled.tissues.get(name)
        union = BoneUnion(space)
        if field is not None:
            union.add(MappedPart.of(scene.body, field, cortex))
        if union.distance is not None:
            unions[name] = union
    return unions


def _paint_envelope(scene: PaintedCanvas, texture: _Texture, bone: dict[str, BoneUnion]) -> None:
    """Skin, subcutaneous fat, the muscles of the wall and about the bones, and fat in between."""
    canvas, body = scene.canvas, scene.body
    hull = body.labelled.hull
    if hull is None:
        return
    hu, trunk = body.anatomy.hu, body.anatomy.trunk

    (shell,) = scene.fields(None, lambda world: tuple(hull.sample(world).unbind(0)), _WIDE_LATTICE_MM)
    shell = shell * body.deformation.scale
    wall = 5.0 + 4.0 * texture.broad + 1.0 * texture.coarse
    skin = shell - wall - trunk["fat"] * (1.0 + 0.45 * texture.broad + 0.03 * texture.coarse)
    canvas.blend(skin, hu["skin"])
    fat = hu["fat"] + 6.0 * texture.middle + 5.0 * texture.fine
    canvas.blend(skin + 1.8, fat)
    streaks = _marbled(hu["muscle"], texture, 0.4 + 0.6 * trunk["marbling"])
    band = smooth_max(shell - wall, -(shell + 13.0), 4.0) + 1.5 * texture.middle
    canvas.blend(band, streaks)
    union = bone.get("bone")
    if union is not None and union.distance is not None:
        (about,) = union.space.lattice.interpolate(union.distance)
        about = about - 11.0 + 3.0 * texture.middle
        canvas.blend(smooth_max(about, shell - wall, 4.0), streaks)


def _marbled(muscle: float, texture: _Texture, share: float) -> Tensor:
    """HU of muscle with streaks of fat."""
    return muscle + 6.0 * texture.fine - 200.0 * share * (texture.middle - 0.35).clamp(0.0, 0.5)


def _paint_tissue(scene: PaintedCanvas, name: str, texture: _Texture) -> None:
    found = scene.distances(scene.body.labelled.tissues[name], _SOFT_LATTICE_MM)
    if found is not None:
        box, distance = found
        value = _TISSUE_HU[name](scene.body.anatomy, distance, texture.in_box(box))
        scene.canvas.blend(distance, value, box)


def _draw(anatomy: Anatomy, stream: int, low: float, high: float) -> float:
    return float(np.random.default_rng([anatomy.seed, 45, stream]).uniform(low, high))


def _parenchyma(anatomy: Anatomy, texture: _Texture, extra: float) -> Tensor:
    return anatomy.hu["organ"] + extra + 4.0 * texture.fine + 2.0 * texture.coarse


def _kidney(anatomy: Anatomy, distance: Tensor, texture: _Texture) -> Tensor:
    # Fresh contrast lights up the cortex first; the pelvis stays dark until it is excreted.
    bright = anatomy.hu["kidney"] - 35.0
    depth = ((distance + 9.0) / 4.0).clamp(0.0, 1.0)
    return 35.0 + bright * (_draw(anatomy, 1, 0.4, 1.0) * (1 - depth) + depth) + 5.0 * texture.fine


def _bowel(anatomy: Anatomy, distance: Tensor, texture: _Texture) -> Tensor:
    """Wall, then contents: fluid and stool, and gas in some loops."""
    filling = anatomy.hu["bowel"] + 14.0 * texture.fine + 25.0 * texture.middle
    gas = (texture.coarse > 1.0 - 1.2 * anatomy.trunk["gas"]) & (texture.middle > -0.4)
    filling = torch.where(gas, torch.full_like(filling, -900.0), filling)
    inner = (0.5 - (distance + 2.5) / 2.0).clamp(0.0, 1.0)
    return (anatomy.hu["muscle"] - 10.0) * (1 - inner) + filling * inner


def _gullet(anatomy: Anatomy, distance: Tensor, texture: _Texture) -> Tensor:
    gas = (texture.coarse > 0.3) & (distance < -5.0)
    return torch.where(gas, -500.0, anatomy.hu["muscle"] - 12.0 + 5.0 * texture.fine)


def _lung(anatomy: Anatomy, distance: Tensor, texture: _Texture) -> Tensor:
    vessels = (texture.fine * 0.6 + texture.middle * 0.6 - 0.42).clamp_min(0.0) * 1500.0
    return anatomy.hu["lung"] + 15.0 * texture.coarse + vessels.clamp(max=850.0) * (distance < -4.0)


def _artery(anatomy: Anatomy, distance: Tensor, texture: _Texture) -> Tensor:
    lumen = anatomy.hu["artery"] + 3.0 * texture.fine
    if anatomy.trunk["calcified"] <= 0:
        return lumen
    plaque = (distance > -2.2) & (texture.fine > 0.45) & (texture.coarse > 0.0)
    return torch.where(plaque, 550.0, lumen)


def _flat(key: str, extra: float, grain: float) -> Callable[[Anatomy, Tensor, _Texture], Tensor]:
    return lambda anatomy, _, texture: anatomy.hu[key] + extra + grain * texture.fine


_TISSUE_HU: Final[dict[str, Callable[[Anatomy, Tensor, _Texture], Tensor]]] = {
    "muscle": lambda a, _, t: _marbled(a.hu["muscle"], t, a.trunk["marbling"]),
    "lung": _lung,
    "airway": _flat("air", 20.0, 0.0),
    "liver": lambda a, _, t: _parenchyma(a, t, _draw(a, 2, -15, 8)),
    "spleen": lambda a, _, t: _parenchyma(a, t, _draw(a, 3, -10, 15)),
    "kidney": _kidney,
    "gland": lambda a, _, t: _parenchyma(a, t, -15.0) - 25.0 * t.middle.clamp(min=0.0),
    "fluid": lambda a, _, t: _draw(a, 4, -2, 22) + 2.0 * t.fine,
    "bowel": _bowel,
    "gullet": _gullet,
    "cord": _flat("canal", 10.0, 2.0),
    "heart": _flat("vein", 8.0, 3.0),
    "artery": _artery,
    "vein": _flat("vein", 0.0, 3.0),
    "cartilage": lambda a, d, t: (
        a.hu["cartilage"] + 15.0 * t.fine + 220.0 * (t.middle - 0.4).clamp_min(0) * (d > -2.5)
    ),
}


def _paint_table(scene: PaintedCanvas) -> None:
    """A curved table top under the lowest skin: a carbon shell around foam, simpler than that of `tissue.table`."""
    canvas, body = scene.canvas, scene.body
    trunk, hull = body.anatomy.trunk, body.labelled.hull
    if trunk["table"] <= 0 or hull is None:
        return
    values = hull.values[0, ::2, ::2, ::2].float().cpu().numpy()
    world = np.linalg.inv(hull.lattice_from_world)
    inside = np.asarray(2.0 * np.argwhere(values < 0) @ world[:3, :3].T + world[:3, 3], np.float64)
    back = body.deformation.patient_points(inside[inside[:, 1] <= np.percentile(inside[:, 1], 2)])
    low = float(back[:, 1].mean()) - trunk["fat"] - trunk["table_gap"] - 22.0
    middle = float(back[:, 0].mean())

    def slab(p: Tensor) -> tuple[Tensor, ...]:
        x = p[..., 0] - middle
        return (smooth_max((p[..., 1] - low - 0.00055 * x * x).abs() - 14.0, x.abs() - 230.0, 4.0),)

    (distance,) = canvas.field(None, slab, 2.0)
    share = (0.5 - distance / canvas.width).clamp(0, 1) * (canvas.hu < -700.0)
    canvas.hu.copy_(canvas.hu + share * (torch.where(distance > -3.0, 20.0, -930.0) - canvas.hu))
