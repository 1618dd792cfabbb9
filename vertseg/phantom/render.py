"""Render a drawn patient: everything on a canvas, and a whole scan on a scanner's grid."""

import numpy as np
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.treatment import paint_treatment
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.scanner.acquisition import Acquisition, acquire
from vertseg.phantom.scanner.exposure import expose
from vertseg.phantom.scanner.randomise import randomise_image
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.skeleton.bars import BoneUnion, UnionSpace
from vertseg.phantom.skeleton.groups import bone_groups
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.tissue.paint import paint_soft_tissue
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.truth import measured
from vertseg.phantom.types import Anatomy, PhantomScan, ScanConfig
from vertseg.phantom.vertebra.bones import paint_union, paint_vertebra
from vertseg.phantom.vertebra.marrow import GRAIN_MM
from vertseg.volume import Volume


def paint_patient(canvas: Canvas, anatomy: Anatomy, margin_mm: float = 0.0) -> LabelSheet:
    """Paint everything that the canvas sees, soft tissue first, then bones, and label it.

    Args:
        canvas: where.
        anatomy: the patient.
        margin_mm: how far outside of their surface bones are labelled (`Acquisition.apparent_edge_mm`).
    """
    sheet = paint_surroundings(canvas, anatomy, margin_mm)
    grain = NoiseTile(canvas, GRAIN_MM, anatomy.seed)
    for shape in anatomy.vertebrae:
        paint_vertebra(canvas, sheet, shape, anatomy, grain)
    paint_treatment(canvas, sheet, anatomy)
    return sheet


def paint_surroundings(canvas: Canvas, anatomy: Anatomy, margin_mm: float = 0.0) -> LabelSheet:
    """Paint and label everything but the vertebrae and what treatment left in them."""
    paint_soft_tissue(canvas, anatomy)
    sheet = LabelSheet.blank(canvas, margin_mm)
    _paint_skeleton(canvas, sheet, anatomy)
    return sheet


def _paint_skeleton(canvas: Canvas, sheet: LabelSheet, anatomy: Anatomy) -> None:
    space = UnionSpace(canvas)
    for group in bone_groups(anatomy, Torso(anatomy, canvas.device)):
        union = BoneUnion(space)
        group.build(union)
        paint_union(canvas, sheet, union, (group.kind, group.level, group.marrow_hu), anatomy)


def render_scan(seed: int, config: ScanConfig | None = None) -> PhantomScan:
    """A patient's scan for this seed, with labels; (X, Y, Z) arrays in RAS, HU and mm.

    Only vertebrae with at least one labelled voxel in view are listed in the truth.
    """
    config = config or ScanConfig()
    anatomy = draw_anatomy(seed, config)
    return render_acquired(anatomy, acquire(anatomy, config), config.device)


def render_acquired(anatomy: Anatomy, acquisition: Acquisition, device: str) -> PhantomScan:
    """A patient's scan as `render_scan` gives it, on the grid of an acquisition of one's own choice."""
    canvas = Canvas(acquisition.painted_grid(), acquisition.patient_from_world, acquisition.psf_mm, device)
    return developed(
        canvas, paint_patient(canvas, anatomy, acquisition.apparent_edge_mm), anatomy, acquisition
    )


def developed(canvas: Canvas, sheet: LabelSheet, anatomy: Anatomy, acquisition: Acquisition) -> PhantomScan:
    """The scan of a painted patient: its image as the scanner gives it, its labels and its truth.

    The canvas lies on the acquisition's grid, or on its `painted_grid`; labels are those of the slices' middles.
    """
    hu = randomise_image(expose(canvas.hu, acquisition, anatomy.seed), anatomy.appearance, anatomy.seed)
    planes = canvas.grid.shape[2] // acquisition.grid.shape[2]
    affine = acquisition.grid.affine
    world = np.asarray(np.linalg.inv(acquisition.patient_from_world), dtype=np.float64)
    truth = measured(anatomy, canvas, sheet, world)

    def volume(t: Tensor) -> Volume:
        return Volume(t.cpu().numpy(), affine)

    def labels(t: Tensor) -> Volume:
        return volume(t[:, :, planes // 2 :: planes].contiguous())

    findings = {name: labels(sheet.findings[i]) for i, name in enumerate(FINDINGS)}
    return PhantomScan(
        volume(hu.float()), labels(sheet.level), labels(sheet.tissue), findings, truth, anatomy.seed
    )
