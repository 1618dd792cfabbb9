"""Pre- and post-operative scan of one vertebra laid upon each other by a rigid motion (SimpleITK)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.errors import ConfigError
from vertseg.labels import column_position
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import Volume

LEAST_CORRELATION: Final = 0.75
LEAST_DICE: Final = 0.7
"""What a registration needs at least to be used: correlation of HU in and around the bone, and overlap of the
labels. Right ones of phantoms correlate by more than 0.9, those with the next level by 0.55 to 0.65."""

MISMATCH: Final = 0.05
"""So much better must the next level correlate for the scans' levels to be called different."""

_WINDOW_HU: Final = (-150.0, 900.0)
_AROUND_MM: Final = 3
_CEMENT_MM: Final = 3
_SHRINK: Final = (2, 1)
_STEPS: Final = 60
_SAMPLED: Final = 0.15
_EVERY: Final = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class Registration:
    """How one vertebra of a scan lies in another scan.

    Attributes:
        level: VerSe number in the first scan.
        matrix: (4, 4) from world mm of the first scan to world mm of the second.
        rotation_deg: angle of the motion.
        shift_mm: way of the body's centre.
        correlation: of the HU in and around the bone, cement left out, -1 to 1.
        dice: overlap of the vertebra's labels, 0 to 1.
    """

    level: int
    matrix: NDArray[np.float64]
    rotation_deg: float
    shift_mm: float
    correlation: float
    dice: float

    @property
    def good(self) -> bool:
        """Whether it can be used."""
        return self.correlation >= LEAST_CORRELATION and self.dice >= LEAST_DICE

    def moved(self, mask: Volume) -> Volume:
        """A volume of the first scan at its place in the second: the same voxels under another affine."""
        return Volume(mask.array, self.matrix @ mask.affine)


def register(first: UprightVertebra, second: UprightVertebra) -> Registration:
    """Lay a vertebra of one scan upon one of another, whatever their levels are called.

    Begins with both centres and axes upon each other, and then lets the HU of bone and its surroundings agree
    (correlation), without cement and what lies next to it. Correlation does not see how bright either scan is.

    Args:
        first: before, for example.
        second: after.
    """
    sitk = _sitk()
    start = second.grid.affine @ np.linalg.inv(first.grid.affine)
    bone = first.body | first.posterior
    region = ndimage.binary_dilation(bone, _EVERY, iterations=_AROUND_MM) & ~_cement(first)
    fixed, moving = (_image(sitk, _windowed(v.hu), v) for v in (first, second))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(_image(sitk, region.astype(np.uint8), first))
    method.SetMetricMovingMask(_image(sitk, (~_cement(second)).astype(np.uint8), second))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(_SAMPLED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=5e-3, numberOfIterations=_STEPS, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(_SHRINK))
    method.SetSmoothingSigmasPerLevel([1.0, 0.0])
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(first.centre_mm.tolist())
    transform.SetMatrix(_rotation(start).ravel().tolist(), 1e-6)
    transform.SetTranslation((start[:3, :3] @ first.centre_mm + start[:3, 3] - first.centre_mm).tolist())
    method.SetInitialTransform(transform, inPlace=True)
    method.SetNumberOfThreads(1)
    method.Execute(fixed, moving)
    return _result(first, second, _matrix(transform), region)


def check_levels(pairs: dict[int, UprightVertebra], others: dict[int, UprightVertebra]) -> None:
    """Refuse two scans whose levels are named apart by one.

    One vertebra that both show, as far from any cement as there is, is laid upon its namesake and upon both
    neighbours of that.

    Args:
        pairs: vertebrae of the first scan by level.
        others: those of the second.

    Raises:
        ConfigError: they have no level in common, or a neighbour fits better.
    """
    common = [n for n in pairs if n in others]
    if not common:
        raise ConfigError(
            f"The two scans have no vertebra in common: the first shows {_names(pairs)}, the second "
            f"{_names(others)}; check that they are of one patient."
        )
    level = min(common, key=lambda n: float(others[n].masks["cement"].sum() + pairs[n].masks["cement"].sum()))
    right = register(pairs[level], others[level])
    place = column_position(level)
    for other in others.values():
        if abs(column_position(other.level) - place) != 1:
            continue
        wrong = register(pairs[level], other)
        if wrong.correlation > right.correlation + MISMATCH and wrong.dice > right.dice - 0.1:
            raise ConfigError(
                f"{pairs[level].name} of the first scan looks like {other.name} of the second (correlation "
                f"{wrong.correlation:.2f}, with its namesake {right.correlation:.2f}), so the levels of the two scans "
                "do not match; correct the level maps, or follow each scan up alone."
            )


def _sitk() -> Any:
    import SimpleITK

    return SimpleITK


def _names(vertebrae: dict[int, UprightVertebra]) -> str:
    return ", ".join(v.name for v in vertebrae.values()) or "none"


def _windowed(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(hu, *_WINDOW_HU).astype(np.float32)


def _cement(vertebra: UprightVertebra) -> NDArray[np.bool_]:
    marked = vertebra.masks["cement"] | (vertebra.hu > 1400.0)
    return np.asarray(ndimage.binary_dilation(marked, _EVERY, iterations=_CEMENT_MM))


def _image(sitk: Any, array: NDArray[Any], vertebra: UprightVertebra) -> Any:
    """An image whose physical space is our world (RAS mm), which ITK takes like any other."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    affine, spacing = vertebra.grid.affine, vertebra.spacing_mm
    image.SetSpacing([spacing] * 3)
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    return image


def _rotation(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    left, _, right = np.linalg.svd(matrix[:3, :3])
    rotation: NDArray[np.float64] = left @ right
    return rotation


def _matrix(transform: Any) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    matrix[:3, 3] = centre + np.array(transform.GetTranslation()) - matrix[:3, :3] @ centre
    return matrix


def _result(
    first: UprightVertebra, second: UprightVertebra, matrix: NDArray[np.float64], region: NDArray[np.bool_]
) -> Registration:
    back = np.linalg.inv(matrix)

    def pulled(array: NDArray[Any], fill: float) -> NDArray[np.float32]:
        return (
            Volume(array.astype(np.float32), back @ second.grid.affine)
            .resampled_to(first.grid, 1, fill)
            .array.astype(np.float32)
        )

    hu, bone = pulled(_windowed(second.hu), np.nan), pulled(second.body | second.posterior, 0.0) >= 0.5
    seen = region & (pulled(_cement(second), 1.0) < 0.5) & np.isfinite(hu)
    own = first.body | first.posterior
    both = int(own.sum() + bone.sum())
    pair = np.stack([_windowed(first.hu)[seen], hu[seen]]) if seen.sum() > 100 else np.zeros((2, 2))
    spread = pair.std(axis=1).min()
    shift = matrix[:3, :3] @ first.centre_mm + matrix[:3, 3] - first.centre_mm
    cosine = np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1)
    return Registration(
        level=first.level,
        matrix=matrix,
        rotation_deg=float(np.degrees(np.arccos(cosine))),
        shift_mm=float(np.linalg.norm(shift)),
        correlation=float(np.corrcoef(pair)[0, 1]) if spread > 0 else 0.0,
        dice=2.0 * float((own & bone).sum()) / both if both else 0.0,
    )
