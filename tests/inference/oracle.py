"""An engine that needs no training: the drawn scan's HU say what each voxel is."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tests.inference.drawn import DrawnSpine
from vertseg.labels import FINDINGS, LEAK_ROUTES, N_LEVELS, LocateClass, level_number
from vertseg.preprocess import CropSpec, normalise_hu
from vertseg.volume import Grid, Volume

AIR, SOFT, POSTERIOR, BODY, SACRUM, LYTIC = -1000.0, 40.0, 680.0, 800.0, 1200.0, 1900.0
_EDGE = 400.0
_CANAL_MM = 1.0
_HU = np.linspace(-1000, 2000, 3001)
_VALUE = normalise_hu(_HU)


def hu_of(spine: DrawnSpine, lytic: NDArray[np.bool_] | None = None) -> Volume:
    """A scan of a drawn spine, soft tissue around it and air at its front."""
    hu = np.full(spine.grid.shape, SOFT, dtype=np.float32)
    hu[:, -3:, :] = AIR
    for part, value in (
        (LocateClass.POSTERIOR, POSTERIOR), (LocateClass.SACRUM, SACRUM), (LocateClass.BODY, BODY),
    ):  # fmt: skip
        hu[spine.tissue == part] = value
    if lytic is not None:
        hu[lytic] = LYTIC
    return Volume(hu, spine.grid.affine)


@dataclass
class Oracle:
    """Reads tissue off the HU and levels off the order of the bodies.

    Attributes:
        names: the drawn levels, head to foot.
    """

    names: list[str]
    locate_spacing_mm: float = 3.0
    locate_multiple: int = 16
    crop: CropSpec = field(default_factory=CropSpec)
    device: str = "cpu"
    name: str = "oracle"
    checkpoints: dict[str, dict[str, object]] = field(
        default_factory=lambda: {"locate": {"sha256": "0" * 64}, "examine": {"sha256": "1" * 64}}
    )
    examined: int = 0

    def locate(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        hu = np.interp(image[0, 0], _VALUE, _HU)
        sacrum = ndimage.binary_opening((hu > 1000) & (hu < 1400), iterations=2)
        bone = (hu > _EDGE) & ~ndimage.binary_dilation(sacrum, iterations=2)
        body = (hu > 740) & bone
        bone &= ~body
        pieces, n = ndimage.label(body)
        sizes = np.bincount(pieces.ravel(), minlength=n + 1)
        centres = [
            (i, np.array(c))
            for i, c in enumerate(ndimage.center_of_mass(body, pieces, range(1, n + 1)), start=1)
            if sizes[i] >= max(30, np.sort(sizes[1:])[-min(n, len(self.names))])
        ]
        centres.sort(key=lambda c: -c[1][2])
        tissue = np.zeros((len(LocateClass), *hu.shape), dtype=np.float32)
        level = np.zeros((N_LEVELS, *hu.shape), dtype=np.float32)
        offset = np.zeros((3, *hu.shape), dtype=np.float32)
        tissue[LocateClass.SACRUM] = sacrum
        tissue[LocateClass.BODY] = body
        tissue[LocateClass.POSTERIOR] = bone
        tissue[LocateClass.BACKGROUND] = 1 - tissue.sum(axis=0)
        if centres:
            index = np.moveaxis(np.indices(hu.shape), 0, -1).astype(np.float32)
            low = index + np.array([0, 0, 1])
            distance = np.stack([np.linalg.norm(low - c, axis=-1) for _, c in centres])
            nearest = distance.argmin(axis=0)
            for k, (piece, centre) in enumerate(centres):
                mine = np.where(body, pieces == piece, (nearest == k) & bone)
                level[level_number(self.names[k]), mine] = 1
                offset[:, mine] = (centre - index[mine]).T * self.locate_spacing_mm
        return {"tissue": tissue[None], "level": level[None], "offset_mm": offset[None]}

    def examine(
        self, crops: NDArray[np.float32], plan: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        n = crops.shape[0]
        self.examined += n
        hu = np.interp(crops[:, 0], _VALUE, _HU)
        mine = np.stack([ndimage.binary_dilation(m > 0.5, iterations=2) for m in crops[:, 1]])
        before_canal = (np.arange(hu.shape[2]) - (hu.shape[2] - 1) / 2) * self.crop.spacing_mm > -_CANAL_MM
        sacra = [ndimage.binary_opening((h > 1000) & (h < 1400), iterations=3) for h in hu]
        bone = (hu > _EDGE) & mine & ~np.stack([ndimage.binary_dilation(s, iterations=5) for s in sacra])
        body = bone & before_canal[:, None]
        posterior = bone & ~body
        tissue = np.stack([~(body | posterior), body, posterior], axis=1).astype(np.float32)
        findings = np.zeros((n, len(FINDINGS), *hu.shape[1:]), dtype=np.float32)
        findings[:, FINDINGS.index("lytic_lesion")] = (hu > 1350) & mine
        leak = np.full((n, len(LEAK_ROUTES)), 0.1, dtype=np.float32)
        return {
            "tissue": tissue,
            "findings": findings,
            "leak": leak,
            "any_leak": np.full(n, 0.3439, np.float32),
            "leak_confidence": np.full(n, 0.6561, np.float32),
            "leak_abstained": np.zeros(n, np.float32),
        }


def dice(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    a, b = a.astype(bool), b.astype(bool)
    return float(2 * (a & b).sum() / max(1, a.sum() + b.sum()))


def turned_grid(grid: Grid, rotation: NDArray[np.float64], spacing_mm: tuple[float, float, float]) -> Grid:
    """A grid with other axes and spacing about the same middle, that covers the same block of space."""
    extent = np.array(grid.shape) * np.array(grid.spacing_mm)
    shape = np.ceil(extent / np.array(spacing_mm)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array(spacing_mm)
    middle = grid.world((np.array(grid.shape) - 1) / 2)
    affine[:3, 3] = middle - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(int(n) for n in shape), affine)
