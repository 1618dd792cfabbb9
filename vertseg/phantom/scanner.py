"""What the scanner does to the patient's HU: pose, field of view, slice thickness, kernel and noise."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor

from vertseg.labels import CERVICAL, LUMBAR, THORACIC
from vertseg.phantom.types import Anatomy, Array, ScanConfig
from vertseg.volume import Grid


@dataclass(frozen=True)
class Acquisition:
    """How one scan was taken: grid (world), pose (patient from world, 4x4), widths in mm, noise in HU."""

    grid: Grid
    patient_from_world: Array
    psf_mm: float
    slice_mm: float
    noise_hu: float
    grain_mm: float
    offset_hu: float
    sharpen: float


def draw_pose(rng: np.random.Generator) -> Array:
    """Patient on the table: mostly within 8 degrees, sometimes turned further. Returns 4x4 patient-from-world."""
    spread = 7.0 if rng.random() < 0.85 else 16.0
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", rng.normal(0, spread / 2, 3), degrees=True).as_matrix()
    return pose


def _extent(anatomy: Anatomy, config: ScanConfig, rng: np.random.Generator) -> tuple[Array, Array]:
    """Low and high corner of the field of view, patient mm."""
    z = {s.level: float(s.centre_mm[2]) for s in anatomy.vertebrae}
    mode = config.field
    if mode == "random":
        mode = str(rng.choice(["lumbar", "thoracic", "whole"], p=[0.62, 0.26, 0.12]))  # type: ignore[assignment]
    if mode == "lumbar":
        top = z.get(THORACIC[int(rng.integers(6, 12))], z[THORACIC[10]]) + float(rng.uniform(-12, 12))
        bottom = float(rng.choice([rng.uniform(-60, -20), rng.uniform(-200, -60)]))
    elif mode == "thoracic":
        top = z[CERVICAL[int(rng.integers(4, 7))]] + float(rng.uniform(-10, 40))
        lowest = int(rng.choice([THORACIC[-1], *LUMBAR[:3]]))
        bottom = z[lowest] if THORACIC[-1] in z else z[LUMBAR[0]]
    else:
        top, bottom = z[CERVICAL[0]] + float(rng.uniform(0, 60)), float(rng.uniform(-150, -40))
    trunk = anatomy.trunk
    wide, front = trunk["half_width"] + 15, 2 * trunk["half_depth"] - trunk["back"] + 10
    back = trunk["back"] + 45
    if rng.random() < 0.45:
        wide, front = float(rng.uniform(75, 130)), float(rng.uniform(60, 130))
        back = float(rng.uniform(75, 110))
    middle = np.mean([s.centre_mm[:2] for s in anatomy.vertebrae if bottom < s.centre_mm[2] < top], axis=0)
    low = np.array([middle[0] - wide, middle[1] - back, bottom])
    return low, np.array([middle[0] + wide, middle[1] + front, top])


def acquire(anatomy: Anatomy, config: ScanConfig) -> Acquisition:
    """Draw field, pose, spacing and image quality for this patient."""
    rng = np.random.default_rng([anatomy.seed, 3])
    pose = draw_pose(rng)
    low, high = _extent(anatomy, config, rng)
    spacing = config.spacing_mm
    if spacing is None:
        inplane = float(rng.uniform(0.8, 1.4))
        spacing = (inplane, inplane, float(rng.choice([1.0, 1.5, 2.0, 2.5, 3.0])))
    step = np.asarray(spacing)
    centre_world = np.linalg.inv(pose)[:3, :3] @ (0.5 * (low + high))
    shape = np.maximum(np.round((high - low) / step).astype(int), 16)
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = centre_world - step * (shape - 1) / 2
    slice_mm = config.slice_mm or max(
        float(step[2]), float(rng.uniform(0.8, 5.0)) if rng.random() < 0.5 else 0.0
    )
    dose = float(np.exp(rng.normal(np.log(14.0), 0.55)))
    return Acquisition(
        Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine), pose,
        psf_mm=max(float(np.min(step)), float(rng.uniform(0.9, 1.8))), slice_mm=slice_mm,
        noise_hu=dose / np.sqrt(max(1.0, float(np.prod(step)) / 2.0)) + 3.0,
        grain_mm=float(rng.uniform(0.5, 1.6)), offset_hu=float(rng.normal(0, 5)) * config.appearance,
        sharpen=float(rng.uniform(0.0, 0.7)) if rng.random() < 0.4 else 0.0,
    )  # fmt: skip


def blur(image: Tensor, sigma_vox: tuple[float, float, float]) -> Tensor:
    """Separable Gaussian over (X, Y, Z), edges replicated; a sigma under 0.2 voxels is skipped."""
    out = image[None, None]
    for axis, sigma in enumerate(sigma_vox):
        if sigma < 0.2:
            continue
        radius = max(1, int(np.ceil(2.5 * sigma)))
        t = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
        kernel = torch.exp(-0.5 * (t / sigma) ** 2)
        shape, pad = [1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]
        shape[axis + 2] = len(t)
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = radius
        out = F.conv3d(F.pad(out, pad, mode="replicate"), (kernel / kernel.sum()).reshape(shape))
    return out[0, 0]


def expose(hu: Tensor, acquisition: Acquisition, seed: int) -> Tensor:
    """The image: slice profile, kernel, correlated noise, offset; clipped to what a CT stores.

    Noise is white noise smoothed to the kernel's grain and scaled to `noise_hu`, so that its power
    falls at high frequency; sharpening kernels raise edges and noise together.
    """
    step = acquisition.grid
    spacing = step.spacing_mm
    generator = torch.Generator(device="cpu").manual_seed(seed)
    extra = np.sqrt(max(0.0, acquisition.slice_mm**2 - spacing[2] ** 2)) / 2.6
    image = blur(hu, (0.0, 0.0, extra / spacing[2]))
    noise = torch.randn(hu.shape, generator=generator).to(hu.device)
    sigma = tuple(acquisition.grain_mm / s * 0.5 for s in spacing[:2])
    noise = blur(noise, (sigma[0], sigma[1], max(0.2, extra / spacing[2]) if extra > 0 else 0.0))
    noise = noise * (acquisition.noise_hu / noise.std().clamp_min(1e-6))
    if acquisition.sharpen > 0:
        image = image + acquisition.sharpen * (image - blur(image, (1.2 / spacing[0], 1.2 / spacing[1], 0.0)))
    return (image + noise + acquisition.offset_hu).clamp(-1024.0, 3071.0)
