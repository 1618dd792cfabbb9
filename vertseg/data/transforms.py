"""MONAI dictionary transforms: patch sampling with one affine, and the variation of crops."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from monai.transforms.transform import RandomizableTransform
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from vertseg.labels import FINDINGS
from vertseg.preprocess import AIR_HU, CropSpec, point_marker

Sample = dict[Hashable, Any]


@dataclass(frozen=True)
class LocateAugmentation:
    """How patches are drawn and varied; `flip` is the chance of a left-right mirror (levels stay).

    `intensity` is the strength of `data.intensities`.
    """

    rotation_deg: float = 20.0
    scale: tuple[float, float] = (0.85, 1.15)
    flip: float = 0.5
    bone_share: float = 0.85
    jitter: float = 0.3
    intensity: float = 1.0


@dataclass(frozen=True)
class ExamineAugmentation:
    """How crops are varied; `unknown` is the chance that a plan input is hidden.

    `intensity` is the strength of `data.intensities`.
    """

    flip: float = 0.5
    shift_vox: int = 3
    point_marker: float = 0.05
    unknown: float = 0.25
    intensity: float = 1.0


class LocatePatch(RandomizableTransform):
    """Cuts a patch of the network's size out of a scan by one rotation, scale, mirror and shift.

    Reads "hu", "level", "tissue" (X, Y, Z) and "centres_vox" (29, 3); writes the patch's "hu" (1, X, Y, Z), "level", "tissue" and "centres_vox" in its own voxels. `augmentation` None cuts an
    upright patch about the labelled bone's middle, always the same.
    """

    def __init__(self, shape: tuple[int, int, int], augmentation: LocateAugmentation | None) -> None:
        super().__init__(prob=1.0)
        self._shape = shape
        self._augmentation = augmentation

    def __call__(self, data: Mapping[Hashable, Any]) -> Sample:
        """Sample of one patch."""
        level = data["level"]
        if self._augmentation is None:
            bone = np.argwhere(level > 0) if level.any() else np.array([level.shape]) // 2
            # Whole voxels from the scan's lattice, so that nothing is interpolated.
            middle = (np.array(self._shape) - 1) / 2
            matrix, centre = np.eye(3), np.rint(bone.mean(axis=0) - middle) + middle
        else:
            matrix, centre = (
                self._draw_matrix(self._augmentation),
                self._draw_centre(level, self._augmentation),
            )
        return {**data, **cut_patch(data, matrix, centre, self._shape)}

    def _draw_matrix(self, augmentation: LocateAugmentation) -> NDArray[np.float64]:
        angles = self.R.uniform(-1, 1, 3) * augmentation.rotation_deg
        rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        mirror = -1.0 if self.R.uniform() < augmentation.flip else 1.0
        matrix: NDArray[np.float64] = (
            rotation @ np.diag([mirror, 1.0, 1.0]) * self.R.uniform(*augmentation.scale)
        )
        return matrix

    def _draw_centre(self, level: NDArray[np.uint8], augmentation: LocateAugmentation) -> NDArray[np.float64]:
        present = np.flatnonzero(np.bincount(level.ravel(), minlength=256)[1:255]) + 1
        if not len(present) or self.R.uniform() >= augmentation.bone_share:
            return np.asarray(self.R.uniform(0, 1, 3) * (np.array(level.shape) - 1))
        voxels = np.flatnonzero(level == self.R.choice(present))
        centre = np.array(np.unravel_index(voxels[self.R.randint(len(voxels))], level.shape), np.float64)
        return np.asarray(centre + self.R.uniform(-1, 1, 3) * augmentation.jitter * np.array(self._shape))


def cut_patch(
    data: Mapping[Hashable, Any],
    matrix: NDArray[np.float64],
    centre: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> Sample:
    """Patch whose voxel p shows the scan's voxel `matrix` (p - middle) + `centre`.

    Body centres go the same way, backwards, so that offsets stay right. Outside the scan is air.
    """
    shift = centre - matrix @ ((np.array(shape) - 1) / 2)

    def cut(array: NDArray[Any], order: Literal[0, 1], fill: float) -> NDArray[Any]:
        corners = np.array(np.meshgrid(*([0, n - 1] for n in shape), indexing="ij")).reshape(3, -1)
        reached = matrix @ corners + shift[:, None]
        low = np.clip(np.floor(reached.min(1)).astype(int) - 1, 0, np.array(array.shape) - 1)
        high = np.clip(np.ceil(reached.max(1)).astype(int) + 2, low + 1, array.shape)
        box = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        offset = np.asarray(shift - low, np.float64)
        moved = ndimage.affine_transform(box, matrix, offset, shape, order=order, mode="constant", cval=fill)
        return np.asarray(moved)

    inverse = np.linalg.inv(matrix)
    return {
        "hu": cut(data["hu"].astype(np.float32), 1, AIR_HU)[None],
        "level": cut(data["level"], 0, 0),
        "tissue": cut(data["tissue"], 0, 0),
        "centres_vox": ((data["centres_vox"] - shift) @ inverse.T).astype(np.float32),
    }


class ExamineVariation(RandomizableTransform):
    """Mirrors and shifts a crop, sometimes knows only its centre, and hides some of the plan."""

    _SPATIAL: Final = ("hu", "tissue", "marker", "findings")

    def __init__(self, spec: CropSpec, augmentation: ExamineAugmentation) -> None:
        super().__init__(prob=1.0)
        self._augmentation = augmentation
        self._ball = point_marker(spec)

    def __call__(self, data: Mapping[Hashable, Any]) -> Sample:
        """Varied sample; shapes stay."""
        sample, own = dict(data), self._augmentation
        shift = self.R.randint(-own.shift_vox, own.shift_vox + 1, 3)
        mirror = self.R.uniform() < own.flip
        for name in self._SPATIAL:
            array = _shifted(np.asarray(sample[name]), shift)
            sample[name] = np.ascontiguousarray(array[..., ::-1, :, :]) if mirror else array
        if self.R.uniform() < own.point_marker:
            sample["marker"] = self._ball
        hidden = self.R.uniform(size=3) < own.unknown
        sample["plan"] = np.where(hidden, np.nan, sample["plan"]).astype(np.float32)
        return sample


def _shifted(array: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
    """The last three axes moved by whole voxels; the border that opens takes the outermost values."""
    if not shift.any():
        return array
    width = [(0, 0)] * (array.ndim - 3) + [(max(int(s), 0), max(-int(s), 0)) for s in shift]
    padded = np.pad(array, width, mode="edge")
    window = [slice(None)] * (array.ndim - 3) + [
        slice(max(-int(s), 0), max(-int(s), 0) + n) for s, n in zip(shift, array.shape[-3:], strict=True)
    ]
    return np.asarray(padded[tuple(window)])


def unpack_examine(arrays: Mapping[str, NDArray[Any]]) -> Sample:
    """Sample of a cached crop: "hu" (1, X, Y, Z) float32, "marker" in [0, 1], "findings" (F, X, Y, Z)."""
    shape = arrays["tissue"].shape
    bits = np.unpackbits(arrays["findings"], count=len(FINDINGS) * int(np.prod(shape)))
    return {
        "hu": arrays["hu"].astype(np.float32)[None],
        "tissue": arrays["tissue"],
        "marker": arrays["marker"].astype(np.float32) / 255,
        "findings": bits.reshape(len(FINDINGS), *shape),
        "leak": arrays["leak"],
        "plan": arrays["plan"],
    }
