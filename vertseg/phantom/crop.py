"""One vertebra's training crop, rendered straight in the vertebra's own frame."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from vertseg.cement.site import InjectionSite
from vertseg.labels import CERVICAL, FINDINGS, LUMBAR, THORACIC, LocateClass
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.injection_site import injection_site
from vertseg.phantom.leak import draw_plan, injected, leak_array, plan_array
from vertseg.phantom.pathology.sickness import redrawn
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.render import paint_patient
from vertseg.phantom.scanner.acquisition import Acquisition, crop_acquisition
from vertseg.phantom.scanner.crop_scan import scan_crop
from vertseg.phantom.scanner.randomise import randomise_image
from vertseg.phantom.shapes import waves
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.types import Anatomy, ExamineCrop, ScanConfig, VertebraShape
from vertseg.preprocess import crop_centre
from vertseg.volume import Grid, crop_grid

PATHOLOGY_BOOST = 2.2
"""The examined vertebra is sick this many times as often as one of a whole scan, so that rare findings show."""


def draw_patient(seed: int, rng: np.random.Generator, device: str) -> tuple[Anatomy, VertebraShape]:
    """A patient and the vertebra to look at, redrawn with more pathology."""
    anatomy = draw_anatomy(seed, ScanConfig(device=device))
    region = rng.random()
    wanted = LUMBAR if region < 0.45 else THORACIC if region < 0.92 else CERVICAL[2:]
    usual = [s for s in anatomy.vertebrae if s.level in wanted]
    target = usual[int(rng.integers(len(usual)))]
    anatomy = redrawn(anatomy, target.level, PATHOLOGY_BOOST, rng)
    return anatomy, next(s for s in anatomy.vertebrae if s.level == target.level)


def crop_frame(
    target: VertebraShape, rng: np.random.Generator, grid: tuple[tuple[int, int, int], float]
) -> Grid:
    """The crop's grid: the vertebra's frame, off by what a locate network would be off."""
    wobble = Rotation.from_euler("xyz", rng.normal(0, 5, 3), degrees=True).as_matrix()
    axes = wobble @ target.axes
    centre = crop_centre(target.centre_mm + rng.normal(0, 2.5, 3), axes)
    shape, spacing_mm = grid
    return crop_grid(centre, axes, shape, spacing_mm)


def _marker(canvas: Canvas, sheet: LabelSheet, level: int, rng: np.random.Generator) -> Tensor:
    """The examined vertebra as a coarse, partly wrong mask at 3 mm, interpolated to the crop."""
    mine = (sheet.level == level).float()
    third = [max(4, round(n * canvas.grid.spacing_mm[0] / 3.0)) for n in mine.shape]
    coarse = F.interpolate(mine[None, None], size=third, mode="area")
    phase = rng.uniform(0, 6.28, 3)
    steps = torch.stack(
        torch.meshgrid(*[torch.arange(n, device=mine.device) * 3.0 for n in third], indexing="ij"), -1
    )
    doubt = waves(steps, (float(phase[0]), float(phase[1]), float(phase[2])), float(rng.uniform(12, 40)))
    threshold = 0.5 + float(rng.uniform(0.0, 0.5)) * doubt + float(rng.normal(0, 0.12))
    rough = (coarse > threshold).float()
    return F.interpolate(rough, size=mine.shape, mode="trilinear")[0, 0]


def render_crop(
    seed: int,
    shape: tuple[int, int, int] = (64, 64, 64),
    spacing_mm: float = 1.5,
    device: str = "cpu",
    inject: bool = True,
) -> ExamineCrop:
    """One vertebra with neighbours in its own frame (right, anterior, up), with all labels of that vertebra.

    Args:
        seed: the patient, the vertebra, the scan and the plan.
        shape: voxels (X, Y, Z).
        spacing_mm: voxel edge.
        device: torch device.
        inject: simulate the plan for the leak labels, which takes as long as the rest; else they are NaN.
    """
    rng = np.random.default_rng([seed, 7])
    anatomy, target = draw_patient(seed, rng, device)
    grid = crop_frame(target, rng, (shape, spacing_mm))
    acquisition = crop_acquisition(grid, rng)
    canvas = Canvas(grid, np.eye(4), acquisition.psf_mm, device)
    sheet = paint_patient(canvas, anatomy, acquisition.apparent_edge_mm)
    site = partial(injection_site, anatomy, target, device=device) if inject else None
    return developed_crop(canvas, sheet, (anatomy, target, acquisition), rng, site)


def developed_crop(
    canvas: Canvas,
    sheet: LabelSheet,
    case: tuple[Anatomy, VertebraShape, Acquisition],
    rng: np.random.Generator,
    site: Callable[[], InjectionSite] | None,
) -> ExamineCrop:
    """The crop of a painted canvas: its image as a scanner gives it, and what belongs to the one vertebra.

    `site` gives where to inject for the leak labels, which are NaN without one.
    """
    anatomy, target, acquisition = case
    image = scan_crop(canvas.hu, canvas.grid, acquisition, anatomy.seed)
    image = randomise_image(image, anatomy.appearance, anatomy.seed)
    mine = sheet.level == target.level
    tissue = torch.where(mine, sheet.tissue, torch.zeros_like(sheet.tissue))
    tissue = torch.where(tissue > int(LocateClass.POSTERIOR), torch.zeros_like(tissue), tissue)
    findings = sheet.findings * mine
    findings[FINDINGS.index("cement")] = (sheet.cement_level == target.level).to(torch.uint8)
    plan = draw_plan(rng)
    injection = None if site is None else injected(target, site, plan, int(rng.integers(2**31)))
    marker = _marker(canvas, sheet, target.level, rng)
    return ExamineCrop(
        image.float().cpu().numpy(), tissue.cpu().numpy(), marker.cpu().numpy(), findings.cpu().numpy(),
        target.level, leak_array(injection), plan_array(plan), anatomy.seed,
    )  # fmt: skip
