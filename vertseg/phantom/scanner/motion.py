"""The patient moved while some slices were taken: shifted, blurred or seen twice, in plane."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Motion:
    """A movement around one height.

    Attributes:
        centre: where along the scan's z, 0 to 1.
        reach_mm: standard deviation of its extent along z.
        shift_mm: in-plane way at its height (x, y).
        kind: "shift" moves the slices, "double" shows both ends of the way, "blur" all of it.
    """

    centre: float
    reach_mm: float
    shift_mm: tuple[float, float]
    kind: Literal["shift", "double", "blur"]


MOTION_RATE = 0.05
"""Share of scans with a visible movement (assumed): spine CT is taken in breath-hold or in seconds."""


def draw_motion(rng: np.random.Generator) -> Motion | None:
    """A movement in `MOTION_RATE` of the scans, mostly front to back as breathing is.

    Plain shifts stay small, for the labels do not move with them.
    """
    moved, kind = rng.random() < MOTION_RATE, int(rng.integers(3))
    way = float(rng.uniform(0.5, 1.2) if kind == 0 else rng.uniform(1.5, 4.5))
    angle = float(rng.normal(np.pi / 2, 0.5))
    reach, centre = float(rng.uniform(3.0, 15.0)), float(rng.uniform(0.1, 0.9))
    if not moved:
        return None
    names: tuple[Literal["shift", "double", "blur"], ...] = ("shift", "double", "blur")
    return Motion(centre, reach, (way * float(np.cos(angle)), way * float(np.sin(angle))), names[kind])


def moved(spectrum: Tensor, frequencies: tuple[Tensor, Tensor], motion: Motion, step_mm: float) -> Tensor:
    """A half spectrum (KX, KY, Z) with the movement applied to its slices.

    Args:
        spectrum: of the image.
        frequencies: fx (KX, 1) and fy (1, KY) in 1/mm.
        motion: what happened.
        step_mm: increment of the slices.
    """
    n = spectrum.shape[2]
    z = (np.arange(n) - motion.centre * (n - 1)) * step_mm / motion.reach_mm
    strength = np.exp(-0.5 * z**2)
    rows = np.flatnonzero(strength > 0.05)
    if len(rows) == 0:
        return spectrum
    fx, fy = frequencies
    turn = fx * motion.shift_mm[0] + fy * motion.shift_mm[1]
    phase = turn[..., None] * torch.as_tensor(strength[rows], dtype=torch.float32, device=spectrum.device)
    if motion.kind == "blur":
        factor = torch.sinc(phase) + 0j
    elif motion.kind == "double":
        factor = torch.cos(torch.pi * phase) + 0j
    else:
        factor = torch.polar(torch.ones_like(phase), -2 * torch.pi * phase)
    out = spectrum.clone()
    out[:, :, rows[0] : rows[-1] + 1] *= factor
    return out
