"""Where each labelled vertebra is and how it stands, from a label map alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.frames import column_axes, forward
from vertseg.labels import CERVICAL, N_LEVELS, VERTEBRA_LEVELS, LocateClass
from vertseg.volume import Volume

_MIN_BODY_ML: Final = 0.5
_CORE_SIGMA_MM: Final = 5.0
_CORE_SHARE: Final = 0.8
_ATLAS: Final = CERVICAL[0]


@dataclass(frozen=True, eq=False)
class LabelledVertebra:
    """A vertebra of a label map.

    Attributes:
        level: VerSe number.
        centre_mm: (3,) body centre in world RAS mm.
        axes: (3, 3), columns are right, anterior and up unit vectors.
    """

    level: int
    centre_mm: NDArray[np.float64]
    axes: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Parts:
    """Voxel indices (n, 3) of a level's body and of the rest."""

    level: int
    body: NDArray[np.int64]
    rest: NDArray[np.int64]


def labelled_vertebrae(level: Volume, tissue: Volume | None) -> tuple[LabelledVertebra, ...]:
    """Vertebrae whose body is whole in the scan, from head to foot, with axes as inference finds them.

    What the border cuts is left out, for its centre is not known and would tilt its neighbour.

    Args:
        level: VerSe numbers, RAS.
        tissue: `labels.LocateClass` numbers on the same grid; None where bodies are not told apart. Then each
            vertebra's thickest part stands for its body; the atlas, which has none, is left out, and so is a
            vertebra of which the border cuts any part.
    """
    found = _parts(level, None if tissue is None else tissue.array == LocateClass.BODY)
    if not found:
        return ()
    grid = level.grid
    bodies, rests = [grid.world(p.body) for p in found], [grid.world(p.rest) for p in found]
    centres = np.stack([body.mean(axis=0) for body in bodies])
    voxel_ml = grid.voxel_volume_mm3 / 1000
    forwards = [forward(body, rest, voxel_ml) for body, rest in zip(bodies, rests, strict=True)]
    return tuple(
        LabelledVertebra(p.level, centre, axes)
        for p, centre, axes in zip(found, centres, column_axes(centres, forwards), strict=True)
    )


def _parts(level: Volume, body: NDArray[np.bool_] | None) -> list[_Parts]:
    boxes = ndimage.find_objects(level.array, max_label=N_LEVELS - 1)
    found = []
    for number in VERTEBRA_LEVELS:
        box = boxes[number - 1]
        if box is None or (body is None and number == _ATLAS):
            continue
        mask = level.array[box] == number
        wanted = mask if body is None else mask & body[box]
        start = np.array([s.start for s in box])
        if wanted.sum() * level.grid.voxel_volume_mm3 < _MIN_BODY_ML * 1000:
            continue
        if _touches_border(np.argwhere(wanted) + start, level.grid.shape):
            continue
        own = wanted if body is not None else _core(mask, level.grid.spacing_mm)
        found.append(_Parts(number, np.argwhere(own) + start, np.argwhere(mask & ~own) + start))
    return found


def _touches_border(voxels: NDArray[np.int64], shape: tuple[int, int, int]) -> bool:
    return bool((voxels == 0).any() or (voxels == np.array(shape) - 1).any())


def _core(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """The voxels with most of the vertebra about them: the middle of its body, no part being as thick."""
    sigma = _CORE_SIGMA_MM / np.array(spacing_mm)
    about = ndimage.gaussian_filter(mask.astype(np.float32), tuple(sigma), mode="constant")
    return np.asarray(mask & (about >= _CORE_SHARE * about[mask].max()))
