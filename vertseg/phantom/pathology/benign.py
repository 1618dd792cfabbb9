"""What looks like a metastasis and is none: hemangioma, osteoid osteoma, fatty marrow, Schmorl nodes. No labels."""

from typing import Final

import numpy as np
import torch

from vertseg.phantom.pathology.lesions import outline
from vertseg.phantom.pathology.patch import Patch, slab
from vertseg.phantom.shapes import coverage, waves
from vertseg.phantom.types import Hidden, Lesion, SchmorlNode

STRUT_HU: Final = 420.0
"""The thick vertical trabeculae of a hemangioma, in a voxel that they fill."""

NIDUS_RIM_MM: Final = 4.5
"""Reactive bone around the nidus of an osteoid osteoma."""


def paint_hemangioma(patch: Patch, lesion: Lesion) -> None:
    """Fatty stroma with thick upright struts: polka dots in axial, corduroy in sagittal planes."""
    p = patch.p
    distance = patch.field(lambda q: outline(q, lesion))
    pitch = 3.6 + 1.0 * float(np.sin(lesion.phase[1]))
    a, b, c = (float(x) for x in lesion.phase)
    # Struts stand upright but not in a crystal: their places are pushed about across, hardly along.
    flat = torch.stack([p[..., 0], p[..., 1], 0.05 * p[..., 2]], -1)
    u = p[..., 0] + 1.5 * waves(flat, (a, b, c), 11.0) + 0.7 * waves(flat, (c, a, b), 6.1)
    v = p[..., 1] + 1.5 * waves(flat, (b, c, a), 12.3) + 0.7 * waves(flat, (b, a, c), 6.9)
    stout = 0.72 + 0.45 * waves(flat, (a + 1, c, b), 7.7)
    k = 2 * np.pi / (pitch * np.cos(np.pi / 6))
    dots = torch.cos(k * u)
    for turn in (np.pi / 3, -np.pi / 3):
        dots = dots + torch.cos(k * (float(np.cos(turn)) * u + float(np.sin(turn)) * v))
    strut = ((dots / 3.0 - 0.30) / 0.4).clamp(0.0, 1.0) * stout.clamp(0.15, 1.0)
    value = lesion.hu + strut * (STRUT_HU - lesion.hu) + 8.0 * patch.grain
    patch.blend(coverage(distance, 4.0) * patch.inner, value)


def paint_osteoid_osteoma(patch: Patch, lesion: Lesion) -> None:
    """A small lucent nidus with a speck of mineral in it, in dense reactive bone."""
    distance = patch.field(lambda q: outline(q, lesion), 1.0)
    radius = float(lesion.radii.mean())
    dense = coverage(distance - 0.7 * NIDUS_RIM_MM, 0.8 * NIDUS_RIM_MM) * patch.outer
    patch.blend(dense, torch.maximum(patch.hu, lesion.rim_hu * (1.0 + 0.08 * patch.grain)))
    patch.blend(coverage(distance, patch.width) * patch.outer, lesion.hu + 6.0 * patch.grain)
    patch.blend(coverage(distance + 0.62 * radius, patch.width) * patch.outer, 700.0)


def paint_fat_void(patch: Patch, lesion: Lesion) -> None:
    """A fatty hole in thin marrow, without a clear edge."""
    distance = patch.field(lambda q: outline(q, lesion))
    patch.blend(0.85 * coverage(distance, 3.5) * patch.inner, lesion.hu + 14.0 * patch.grain)


def paint_schmorl(patch: Patch, node: SchmorlNode) -> None:
    """Disc in a pit of the endplate, with a dense rim."""
    p = patch.p
    across = torch.hypot(p[..., 0] - node.right_mm, p[..., 1] - node.anterior_mm)
    across = across + 0.12 * node.radius_mm * waves(p, (node.right_mm, node.depth_mm, node.radius_mm), 9.0)
    # How high the endplate stands there, from the voxels on the node's axis.
    height, axis = node.side * p[..., 2], (across < 1.5) & (patch.body <= 0)
    deep = (torch.where(axis, height, torch.zeros_like(height)).amax() - height).clamp_min(-1.0)
    k = torch.sqrt((across / node.radius_mm) ** 2 + (deep / node.depth_mm) ** 2)
    pit = (k - 1.0) * min(node.radius_mm, node.depth_mm)
    near = (node.side * p[..., 2] > 0).float()
    rim = slab(pit - 0.8, 1.6, patch.width) * patch.outer * near
    patch.blend(rim, torch.maximum(patch.hu, torch.full_like(rim, node.rim_hu)))
    patch.blend(coverage(pit, patch.width) * patch.through * near, node.disc_hu)
    patch.hide((pit <= 0) & (deep < 1.5) & (near > 0) & patch.inside, Hidden.ENDPLATE_BREAK)
