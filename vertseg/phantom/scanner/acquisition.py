"""How a scan is taken: voxels, pose, image quality, artefacts, as clinics have them."""

from dataclasses import dataclass

import numpy as np

from vertseg.phantom.scanner.artefacts import CLEAN, Artefacts, draw_artefacts
from vertseg.phantom.scanner.kernel import Kernel, draw_kernel
from vertseg.phantom.scanner.motion import Motion, draw_motion
from vertseg.phantom.scanner.noise import noise_of, reference_noise_hu
from vertseg.phantom.scanner.view import Outside, body_size, draw_extent, draw_outside, draw_pose, draw_slices
from vertseg.phantom.types import Anatomy, Array, ScanConfig
from vertseg.volume import Grid

APPARENT_EDGE = 0.3
"""Shift of a vertebra's apparent edge outward, by the full width of the point spread.

A cortex of 0.45 mm (1000 HU) between marrow (165 HU) and fat or muscle is blurred to a rim whose outer half-way
mark lies 0.44-0.50 mm outside of the surface at a width of 1.5 mm, 0.58-0.70 at 2 mm and 0.84-1.06 at 3 mm.
Readers and networks that labelled public data sets drew what they saw, so the phantoms' labels end there too.
"""


@dataclass(frozen=True)
class Quality:
    """Image quality.

    Attributes:
        kernel: of the reconstruction.
        noise_hu: standard deviation in the middle of the patient, in slices of the scan and native pixels.
        slice_mm: slice thickness, as FWHM.
        native_mm: pixel of the reconstruction; a grid with longer steps was smoothed and resampled from it. As
            long as the steps: resampled without smoothing, so that noise and edges stay.
        iterative: strength of iterative reconstruction, 0 to 1: noise moves to lower frequencies.
        offset_hu, gain: error of calibration; HU are multiplied by `gain` and then shifted.
    """

    kernel: Kernel
    noise_hu: float
    slice_mm: float
    native_mm: float = 0.8
    iterative: float = 0.0
    offset_hu: float = 0.0
    gain: float = 1.0


@dataclass(frozen=True)
class Acquisition:
    """How one scan was taken.

    Attributes:
        grid: voxels of the scan (world).
        patient_from_world: (4, 4) pose.
        psf_mm: width with which the canvas is painted; the kernel's response makes up for it.
        quality: kernel, noise, slices.
        artefacts: strengths.
        motion: what the patient did, if anything.
        body_mm: width and depth of the patient, for the noise.
        outside: what lies beyond the scanner's circle, if it is seen.
    """

    grid: Grid
    patient_from_world: Array
    psf_mm: float
    quality: Quality
    artefacts: Artefacts = CLEAN
    motion: Motion | None = None
    body_mm: tuple[float, float] = (350.0, 230.0)
    outside: Outside | None = None

    @property
    def apparent_edge_mm(self) -> float:
        """How far outside of a bone's surface its edge appears, mm (see `APPARENT_EDGE`)."""
        x, y, z = self.grid.spacing_mm
        plane = np.hypot(self.quality.kernel.fwhm_mm, 0.5 * (x + y))
        along = np.hypot(self.quality.slice_mm, z)
        return float(APPARENT_EDGE * (2 * plane + along) / 3)

    @property
    def planes(self) -> int:
        """Planes to paint in each slice, an odd number; more than one where slices are thick beside pixels."""
        x, _, z = self.grid.spacing_mm
        count = max(1, round(z / max(x, 2.0)))
        return count + 1 - count % 2

    def painted_grid(self) -> Grid:
        """The grid with `planes` voxels for each slice, over the same box: for `expose` to take the profile from.

        Every slice's middle is a voxel's middle, so labels of the slices are `[:, :, planes // 2 :: planes]`.
        """
        x, y, z = self.grid.shape
        affine = self.grid.affine.copy()
        affine[:3, 2] /= self.planes
        affine[:3, 3] = self.grid.world((0.0, 0.0, -(self.planes - 1) / 2 / self.planes))
        return Grid((x, y, z * self.planes), affine)


_COARSE_MM = 1.3


def draw_quality(
    rng: np.random.Generator, slices: tuple[float, float], plane_mm: float, appearance: float = 1.0
) -> Quality:
    """Image quality of clinics.

    Half of the grids that are coarser than scanners write (pixels above `_COARSE_MM`) were smoothed on
    resampling, and so have less noise; the others were only interpolated.

    Args:
        rng: draws.
        slices: thickness and increment in mm.
        plane_mm: pixel of the grid.
        appearance: strength of the calibration's error, 0 to 1.
    """
    kernel = draw_kernel(rng, slices[0])
    iterative = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.6 else 0.0
    smoothed, native = rng.random() < 0.5 or plane_mm < _COARSE_MM, float(rng.uniform(0.4, 0.98))
    noise = noise_of(reference_noise_hu(rng), kernel, max(slices) if smoothed else slices[0], iterative)
    native = min(plane_mm, native) if smoothed else plane_mm
    offset, gain = float(rng.normal(0, 4)) * appearance, 1.0 + float(rng.normal(0, 0.012)) * appearance
    return Quality(kernel, noise, slices[0], native, iterative, offset, gain)


def acquire(anatomy: Anatomy, config: ScanConfig) -> Acquisition:
    """Draw field, pose, spacing and image quality for this patient."""
    rng = np.random.default_rng([anatomy.seed, 3])
    pose = draw_pose(rng)
    low, high = draw_extent(anatomy, config, rng)
    slice_mm, increment = draw_slices(rng)
    inplane = float(rng.uniform(0.8, 1.3))
    step = np.asarray(config.spacing_mm or (inplane, inplane, max(0.8, increment)))
    world_from_patient = np.linalg.inv(pose)[:3, :3]
    size = np.abs(np.rint(world_from_patient)) @ (high - low)
    shape = np.maximum(np.round(size / step).astype(int), 16)
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = world_from_patient @ (0.5 * (low + high)) - step * (shape - 1) / 2
    slices = (config.slice_mm or slice_mm, float(step[2]))
    return Acquisition(
        Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine), pose, float(min(step[:2])),
        draw_quality(rng, slices, float(min(step[:2])), config.appearance),
        draw_artefacts(rng), draw_motion(rng), body_size(anatomy),
        draw_outside((float(size[0]), float(size[1])), rng),
    )  # fmt: skip


_TILT_DEG, _STEEPEST_DEG = 12.0, 28.0


def _scan_grid(crop: Grid, wanted_mm: Array, slope: float) -> Grid:
    """Voxels of about the wanted size over a crop's box, slices rising by `slope` toward the front.

    With a slope the box is sheared and reaches beyond the crop's above and below, so that all of the crop
    lies inside.
    """
    own, count = np.asarray(crop.spacing_mm), np.asarray(crop.shape)
    shape = np.maximum(8, np.round(count * own / np.maximum(own, wanted_mm))).astype(int)
    step = count * own / shape
    axes = crop.affine[:3, :3] / own
    rise = abs(slope) * count[1] * own[1]
    shape[2] += int(np.ceil(rise / step[2]))
    affine = np.eye(4)
    affine[:3, :3] = axes * step
    affine[:3, 1] += axes[:, 2] * (slope * step[1])
    affine[:3, 3] = crop.world((count - 1) / 2) - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def crop_acquisition(
    grid: Grid, rng: np.random.Generator, spacing: tuple[float, float, float] | None = None
) -> Acquisition:
    """How a vertebra's crop was taken: scans as `acquire` draws them, over the crop's box.

    Pixels and increments finer than the crop's voxels were resampled to these; longer increments, and longer
    pixels in one of six crops, give a coarser grid than the crop's (see `scan_crop`). As vertebrae stand
    askew in the scanner, slices thicker than the crop's voxels cut it at an angle, to front or back.

    Args:
        grid: the crop, its axes right, anterior and up.
        rng: draws.
        spacing: of the scan in mm, at least the crop's; None draws it.
    """
    own = grid.spacing_mm
    slice_mm, increment = draw_slices(rng)
    coarse, wide = rng.random() < 1 / 6, float(rng.uniform(1.4, 3.2))
    drawn = (wide, wide, max(wide, increment)) if coarse else (0.0, 0.0, increment)
    tilt = float(np.clip(rng.normal(0.0, _TILT_DEG), -_STEEPEST_DEG, _STEEPEST_DEG))
    thick = max(slice_mm, (spacing or drawn)[2]) > 1.3 * own[2]
    scan = _scan_grid(grid, np.asarray(spacing or drawn), float(np.tan(np.deg2rad(tilt))) if thick else 0.0)
    step = scan.spacing_mm
    body = (float(rng.uniform(280, 430)), float(rng.uniform(190, 300)))
    return Acquisition(
        scan, np.eye(4), min(own), draw_quality(rng, (slice_mm, step[2]), min(step[:2])),
        draw_artefacts(rng), draw_motion(rng), body,
    )  # fmt: skip
