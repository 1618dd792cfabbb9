"""A scan of drawn vertebrae whose heights, wall, canal and lesions are known by number."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vertseg.frames import LabelledVertebra
from vertseg.labels import FINDINGS, Tissue
from vertseg.planning.upright import ScanLabels, UprightVertebra, stand_upright
from vertseg.volume import Volume

HALF_WIDTH_MM, HALF_DEPTH_MM, HEIGHT_MM = 21.0, 16.0, 26.0
CANAL_HALF_MM, CANAL_DEPTH_MM = 11.0, 16.0
MARROW_HU, CORTEX_HU, SOFT_HU = 180.0, 700.0, 40.0
SHELL_MM = 2.0

Where = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Right, anterior and up (mm from the body's centre) to a mask."""


@dataclass(frozen=True)
class Drawn:
    """A vertebra: heights in mm, and what lies where.

    Attributes:
        dip_mm: how much lower the body is in its middle.
        fragment_mm: how far the upper half of the wall, 12 mm wide, stands back in the canal.
        findings: masks by name.
    """

    level: int
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axes: np.ndarray | None = None
    anterior_mm: float = HEIGHT_MM
    posterior_mm: float = HEIGHT_MM
    dip_mm: float = 0.0
    fragment_mm: float = 0.0
    findings: dict[str, Where] | None = None
    hole: Where | None = None

    @property
    def place(self) -> LabelledVertebra:
        """Where it stands."""
        axes = np.eye(3) if self.axes is None else self.axes
        return LabelledVertebra(self.level, np.array(self.centre_mm), axes)


def column(*levels: int, step_mm: float = 36.0) -> list[Drawn]:
    """Sound vertebrae above each other from the first level down."""
    return [Drawn(n, (0.0, 0.0, -step_mm * i)) for i, n in enumerate(levels)]


def scan_of(vertebrae: list[Drawn], spacing_mm: float = 1.0) -> tuple[ScanLabels, Volume]:
    """Labels and HU of a scan, RAS, of the given vertebrae."""
    centres = np.array([v.centre_mm for v in vertebrae])
    low, high = centres.min(axis=0) - (40, 62, 32), centres.max(axis=0) + (40, 30, 32)
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing_mm))
    affine = np.diag([spacing_mm] * 3 + [1.0])
    # Surfaces between the voxels.
    affine[:3, 3] = low + 0.237
    levels, tissue = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    hu = np.full(shape, SOFT_HU, np.float32)
    masks = {name: np.zeros(shape, np.uint8) for name in FINDINGS}
    world = np.moveaxis(np.indices(shape), 0, -1) * spacing_mm + affine[:3, 3]
    for vertebra in vertebrae:
        place = vertebra.place
        x, y, z = np.moveaxis((world - place.centre_mm) @ place.axes, -1, 0)
        _paint(vertebra, (x, y, z), (levels, tissue, hu, masks))
    volumes = {name: Volume(mask, affine) for name, mask in masks.items()}
    return ScanLabels(Volume(levels, affine), Volume(tissue, affine), volumes), Volume(hu, affine)


def _paint(vertebra: Drawn, at: tuple[np.ndarray, ...], into: tuple) -> None:
    x, y, z = at
    levels, tissue, hu, masks = into
    forward = np.clip((y + HALF_DEPTH_MM) / (2 * HALF_DEPTH_MM), 0, 1)
    height = vertebra.posterior_mm + (vertebra.anterior_mm - vertebra.posterior_mm) * forward
    height = height - vertebra.dip_mm * np.clip(1 - (x / 15) ** 2 - (y / 11) ** 2, 0, 1) ** 0.5
    back = np.where((np.abs(x) < 6) & (z > 0), -HALF_DEPTH_MM - vertebra.fragment_mm, -HALF_DEPTH_MM)
    inward = np.minimum.reduce(
        [HALF_WIDTH_MM - np.abs(x), HALF_DEPTH_MM - y, y - back, height / 2 - np.abs(z)]
    )
    body = inward > 0
    beside = (np.abs(x) > CANAL_HALF_MM) & (np.abs(x) < CANAL_HALF_MM + 8)
    pedicle = beside & (y <= -HALF_DEPTH_MM) & (y > -HALF_DEPTH_MM - CANAL_DEPTH_MM) & (z > 0) & (z < 10)
    behind = y + HALF_DEPTH_MM + CANAL_DEPTH_MM
    lamina = (np.abs(x) < CANAL_HALF_MM + 8) & (behind <= 0) & (behind > -6) & (np.abs(z) < 12)
    posterior = (pedicle | lamina) & ~body
    levels[body | posterior] = vertebra.level
    tissue[body], tissue[posterior] = Tissue.BODY, Tissue.POSTERIOR
    hu[body] = np.where(inward < SHELL_MM, CORTEX_HU, MARROW_HU)[body]
    hu[posterior] = CORTEX_HU
    for name, where in (vertebra.findings or {}).items():
        masks[name][where(x, y, z) & (body | posterior)] = 1
    if vertebra.hole is not None:
        hu[vertebra.hole(x, y, z)] = SOFT_HU


def stood(vertebrae: list[Drawn], spacing_mm: float = 1.0, stored: str = "RAS") -> list[UprightVertebra]:
    """The vertebrae in their own frames, from a scan that is stored in the given orientation."""
    labels, scan = scan_of(vertebrae, spacing_mm)
    turned = ScanLabels(
        labels.levels.oriented(stored),
        labels.tissue.oriented(stored),
        {name: mask.oriented(stored) for name, mask in labels.masks.items()},
    )
    return [stand_upright(turned, scan.oriented(stored), v.place) for v in vertebrae]
