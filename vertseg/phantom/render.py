"""Render a drawn patient: a whole scan on a scanner's grid, or one vertebra's crop in its own frame."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vertseg.labels import CERVICAL, FINDINGS, SACRUM, LocateClass
from vertseg.phantom.anatomy import draw_anatomy
from vertseg.phantom.canvas import FAR_MM, BoneLayer, Box, Canvas
from vertseg.phantom.scanner import acquire, expose
from vertseg.phantom.shapes import capsule, coverage, rotate, smooth_min, stack_points, waves
from vertseg.phantom.skeleton import Bar, pelvis_bars, rib_bars, sacrum_bars, sacrum_segments, upper_bars
from vertseg.phantom.soft_tissue import Course, paint_along_spine, paint_organs, paint_table, paint_trunk
from vertseg.phantom.types import Anatomy, PhantomScan, PhantomVertebra, ScanConfig, VertebraShape
from vertseg.phantom.vertebra import (
    WALL_SHELL_MM,
    VertebraDistances,
    body_distance,
    lesion_distance,
    vertebra_distances,
    wall_shell,
)
from vertseg.volume import Volume

LYTIC, SCLEROTIC, WALL, CEMENT = (FINDINGS.index(n) for n in FINDINGS)


@dataclass
class LabelSheet:
    """Label maps under construction; `depth` holds the distance (mm) of the vertebra that owns a voxel."""

    level: Tensor
    tissue: Tensor
    findings: Tensor
    depth: Tensor

    @staticmethod
    def blank(canvas: Canvas) -> "LabelSheet":
        """Nothing labelled yet."""
        shape, device = canvas.grid.shape, canvas.device
        empty = torch.zeros(shape, dtype=torch.uint8, device=device)
        masks = torch.zeros((len(FINDINGS), *shape), dtype=torch.uint8, device=device)
        return LabelSheet(empty, empty.clone(), masks, torch.full(shape, FAR_MM, device=device))


def _corners(shape: VertebraShape) -> np.ndarray:
    s = shape.sizes
    back = s["depth"] / 2 + max(s["spinous_length"], s["canal_depth"] + 9.0) + 6
    low = s["height"] / 2 + max(0.5 * s["height"] + s["disc_below"], s["spinous_drop"] + 22) + 4
    high = 0.5 * s["height"] + (20.0 if shape.level in CERVICAL[:2] else 0.5 * s["disc_below"] + 10)
    half = s["transverse_span"] / 2 + 6
    half = max(half, s["width"] / 2 + 6)
    ends = [(u, v, w) for u in (-half, half) for v in (-back, s["depth"] / 2 + 6) for w in (-low, high)]
    return np.asarray(shape.centre_mm + np.asarray(ends) @ shape.axes.T)


def _local_points(canvas: Canvas, box: Box, shape: VertebraShape) -> Tensor:
    return rotate(canvas.points(box), shape.axes, -shape.centre_mm @ shape.axes)


def paint_vertebra(
    canvas: Canvas, sheet: LabelSheet, shape: VertebraShape, anatomy: Anatomy
) -> Tensor | None:
    """Paint one vertebra with its pathology and label it; returns its distance on the whole grid's box or None."""
    box = canvas.box(_corners(shape), canvas.width)
    if box is None:
        return None
    p = _local_points(canvas, box, shape)
    d = vertebra_distances(p, shape)
    whole = smooth_min(d.body, d.posterior, 2.0)
    hu = canvas.hu[box]
    bone = _bone_hu(p, d, shape, anatomy)
    outer = coverage(whole, canvas.width)
    thickness = torch.where(d.body < d.posterior, shape.sizes["cortex"], shape.sizes["posterior_cortex"])
    inner = torch.minimum(coverage(whole + thickness, canvas.width), outer)
    hu = hu * (1 - outer) + anatomy.hu["cortical"] * (outer - inner) + bone * inner
    shell = wall_shell(p, d, shape)
    owner = whole < sheet.depth[box]
    inside = (whole <= 0) & owner
    hu = _paint_findings(
        canvas, hu, (p, whole, inner, shell & inside), shape, sheet.findings[(slice(None), *box)]
    )
    canvas.hu[box] = hu
    sheet.depth[box] = torch.where(owner, whole, sheet.depth[box])
    part = torch.where(d.body <= d.posterior, int(LocateClass.BODY), int(LocateClass.POSTERIOR)).to(
        torch.uint8
    )
    sheet.tissue[box] = torch.where(inside, part, sheet.tissue[box])
    sheet.level[box] = torch.where(inside, torch.full_like(part, shape.level), sheet.level[box])
    return whole


def _bone_hu(p: Tensor, d: VertebraDistances, shape: VertebraShape, anatomy: Anatomy) -> Tensor:
    """Trabecular HU: vertical texture, denser near endplates and in posterior elements; the basivertebral foramen."""
    base, s = anatomy.hu["trabecular"], shape.sizes
    ph = (float(shape.seed % 71), float(shape.seed % 67), float(shape.seed % 61))
    stretched = stack_points(p[..., 0], p[..., 1], 0.55 * p[..., 2])
    texture = 0.16 * waves(stretched, ph, 5.0) + 0.10 * waves(p, (ph[2], ph[0], ph[1]), 19.0)
    gain = torch.where(d.body < d.posterior, 1.0, 1.45)
    near_plate = (p[..., 2].abs() / (0.5 * s["height"])).clamp(0, 1) ** 4
    crushed = 1.0 + 0.9 * shape.height_loss * (p[..., 1] > -0.25 * s["depth"])
    bone = base * gain * (1 + texture) * (1 + 0.35 * near_plate) * crushed + 15.0
    depth = p[..., 1] + s["depth"] / 2
    radius = s["foramen"] * (1.4 - depth.clamp(0, 10) / 9.0)
    foramen = torch.hypot(p[..., 0] * 0.8, p[..., 2]) - radius
    share = coverage(foramen, 1.5) * (depth < 10.0) * (d.body < d.posterior)
    return bone * (1 - share) + 20.0 * share


def _paint_findings(
    canvas: Canvas,
    hu: Tensor,
    where: tuple[Tensor, Tensor, Tensor, Tensor],
    shape: VertebraShape,
    masks: Tensor,
) -> Tensor:
    p, whole, inner, shell = where
    inside = whole <= 0
    # A break removes the cortex and its partial volume just outside.
    through = coverage(whole - 0.5 * canvas.width, canvas.width)
    s = shape.sizes
    depth = p[..., 1] + s["depth"] / 2
    foramen = torch.hypot(p[..., 0] * 0.8, p[..., 2]) - s["foramen"] * 1.3
    if s["foramen"] > 2.0:
        open_wall = (
            coverage(foramen, 1.5) * (depth < 5.0) * (depth > -4.0) * (p[..., 1] < 0) * through * (1 - inner)
        )
        hu = hu * (1 - 0.7 * open_wall) + 20.0 * 0.7 * open_wall
    for lesion in shape.lesions:
        distance = lesion_distance(p, lesion)
        texture = 0.06 * abs(lesion.hu) + 6.0
        value = lesion.hu + texture * waves(p, tuple(float(v) for v in lesion.phase), 6.0)  # type: ignore[arg-type]
        share = coverage(distance, max(canvas.width, 1.2)) * (through if lesion.breaks_cortex else inner)
        hu = hu * (1 - share) + value * share
        mask = (distance <= 0) & inside
        channel = FINDINGS.index(lesion.kind)
        masks[channel] |= mask.to(torch.uint8)
        if lesion.breaks_cortex:
            masks[WALL] |= (mask & shell).to(torch.uint8)
        if lesion.kind == "cement":
            masks[LYTIC] &= ~mask.to(torch.uint8) & 1
    if shape.wall_hole is not None:
        hole = shape.wall_hole
        ph = (float(shape.seed % 59), float(shape.seed % 53), float(shape.seed % 47))
        ring = (
            torch.hypot(p[..., 0] - hole.right_mm, p[..., 2] - hole.up_mm)
            - hole.radius_mm
            + 1.2 * waves(p, ph, 7.0)
        )
        behind = coverage(p[..., 1] + 0.22 * s["depth"], 2.0)
        share = coverage(ring, canvas.width) * behind * through * coverage(-(whole + 3.0), 1.5)
        hu = hu * (1 - share) + hole.hu * share
        masks[WALL] |= ((ring <= 0) & shell).to(torch.uint8)
    return hu


def _add_bars(canvas: Canvas, layer: BoneLayer, bars: list[Bar]) -> None:
    for bar in bars:
        reach = max(bar.radii) * max(bar.stretch) + canvas.width + 4
        box = canvas.box(np.array([bar.start, bar.end]), reach)
        if box is not None:
            layer.add(
                capsule(canvas.points(box), bar.start, bar.end, bar.radii, bar.stretch), bar.cortex, box
            )


def _add_sacral_bodies(canvas: Canvas, layer: BoneLayer, anatomy: Anatomy) -> None:
    for segment in sacrum_segments(anatomy):
        reach = 0.6 * max(segment.sizes["width"], segment.sizes["anterior_height"]) + 4
        box = canvas.box(segment.centre_mm[None], reach)
        if box is not None:
            layer.add(body_distance(_local_points(canvas, box, segment), segment)[0], 0.5, box)


def _paint_layer(
    canvas: Canvas, sheet: LabelSheet, layer: BoneLayer, bone: tuple[LocateClass, float], anatomy: Anatomy
) -> None:
    """Paint a union of bars; only where it comes near, since most of the grid holds none of it."""
    if layer.empty:
        return
    kind, marrow = bone
    near = torch.nonzero(layer.distance < canvas.width + 1.0)
    if not len(near):
        return
    low, high = near.min(0).values, near.max(0).values + 1
    box = (
        slice(int(low[0]), int(high[0])),
        slice(int(low[1]), int(high[1])),
        slice(int(low[2]), int(high[2])),
    )
    p = canvas.points(box)
    distance = layer.distance[box] + 0.6 * waves(p, (float(kind), 1.0, 2.0), 21.0)
    outer = coverage(distance, canvas.width)
    inner = torch.minimum(coverage(distance + layer.cortex[box], canvas.width), outer)
    texture = (
        1
        + 0.22 * waves(p, (0.3, 1.7, float(anatomy.seed % 13)), 13.0)
        + 0.12 * waves(p, (2.0, 0.1, 0.7), 6.0)
    )
    hu = canvas.hu[box]
    canvas.hu[box] = (
        hu * (1 - outer) + 0.92 * anatomy.hu["cortical"] * (outer - inner) + marrow * texture * inner
    )
    mine = (distance <= 0) & (sheet.depth[box] > distance)
    sheet.tissue[box] = torch.where(mine, torch.full_like(sheet.tissue[box], int(kind)), sheet.tissue[box])
    if kind is LocateClass.SACRUM:
        sheet.level[box] = torch.where(mine, torch.full_like(sheet.level[box], SACRUM), sheet.level[box])
    sheet.depth[box] = torch.minimum(sheet.depth[box], distance)


def paint_patient(canvas: Canvas, anatomy: Anatomy) -> LabelSheet:
    """Paint everything that the canvas sees, soft tissue first, then bones, and label it."""
    p = canvas.points()
    paint_trunk(canvas, anatomy, p, Course(anatomy, canvas.device))
    paint_organs(canvas, anatomy)
    paint_along_spine(canvas, anatomy)
    if anatomy.trunk["table"] > 0:
        paint_table(canvas, anatomy, p)
    sheet = LabelSheet.blank(canvas)
    rng = np.random.default_rng([anatomy.seed, 31])
    trabecular = anatomy.hu["trabecular"]
    groups = (
        (LocateClass.OTHER_BONE, [*pelvis_bars(anatomy)], trabecular * float(rng.uniform(0.3, 0.9))),
        (LocateClass.OTHER_BONE, [*rib_bars(anatomy)], trabecular * float(rng.uniform(0.6, 1.4))),
        (LocateClass.OTHER_BONE, [*upper_bars(anatomy)], trabecular * float(rng.uniform(0.6, 1.2))),
        (LocateClass.SACRUM, [*sacrum_bars(anatomy)], trabecular * float(rng.uniform(0.5, 1.0))),
    )
    for kind, bars, marrow in groups:
        layer = BoneLayer(canvas)
        _add_bars(canvas, layer, [b for b in bars if not b.hollow])
        if kind is LocateClass.SACRUM:
            _add_sacral_bodies(canvas, layer, anatomy)
        _paint_layer(canvas, sheet, layer, (kind, marrow), anatomy)
        shafts = BoneLayer(canvas)
        _add_bars(canvas, shafts, [b for b in bars if b.hollow])
        _paint_layer(canvas, sheet, shafts, (kind, anatomy.hu["fat"] + 40.0), anatomy)
    for shape in anatomy.vertebrae:
        paint_vertebra(canvas, sheet, shape, anatomy)
    return sheet


def _truth(shape: VertebraShape, scan: tuple[Canvas, LabelSheet], world: np.ndarray) -> PhantomVertebra:
    canvas, sheet = scan
    voxel = canvas.grid.voxel_volume_mm3
    mine = sheet.level == shape.level
    lytic = float((sheet.findings[LYTIC].bool() & mine).sum()) * voxel / 1000.0
    wall = float((sheet.findings[WALL].bool() & mine).sum()) * voxel / WALL_SHELL_MM
    centroid = world[:3, :3] @ shape.centre_mm + world[:3, 3]
    return PhantomVertebra(shape.level, centroid, world[:3, :3] @ shape.axes, shape.height_loss, lytic, wall)


def render_scan(seed: int, config: ScanConfig | None = None) -> PhantomScan:
    """A patient's scan for this seed, with labels; (X, Y, Z) arrays in RAS, HU and mm.

    Only vertebrae with at least one labelled voxel in view are listed in the truth.
    """
    config = config or ScanConfig()
    anatomy = draw_anatomy(seed, config)
    acquisition = acquire(anatomy, config)
    canvas = Canvas(acquisition.grid, acquisition.patient_from_world, acquisition.psf_mm, config.device)
    sheet = paint_patient(canvas, anatomy)
    hu = expose(canvas.hu, acquisition, seed)
    affine = acquisition.grid.affine
    world = np.linalg.inv(acquisition.patient_from_world)
    seen = {int(n) for n in torch.unique(sheet.level)}
    truth = tuple(_truth(s, (canvas, sheet), world) for s in anatomy.vertebrae if s.level in seen)

    def volume(t: Tensor) -> Volume:
        return Volume(t.cpu().numpy(), affine)

    findings = {name: volume(sheet.findings[i]) for i, name in enumerate(FINDINGS)}
    return PhantomScan(volume(hu.float()), volume(sheet.level), volume(sheet.tissue), findings, truth, seed)
