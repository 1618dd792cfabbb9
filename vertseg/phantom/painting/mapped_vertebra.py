"""One vertebra of a label map as a smooth surface in its own frame, split into body and arch, and measured."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.frames import LabelledVertebra, labelled_vertebrae
from vertseg.labels import CERVICAL, COLUMN_ORDER, VERTEBRA_LEVELS
from vertseg.phantom.painting.body_split import (
    FrameLattice,
    body_cut,
    find_canal,
    measured_sizes,
    side_wall,
)
from vertseg.phantom.painting.label_distance import (
    LatticeField,
    lattice_points,
    signed_distance,
    spline_levelset,
)
from vertseg.phantom.patient.morphometry import LEVEL_SIZES
from vertseg.phantom.types import Array
from vertseg.volume import Volume

FRAME_STEP_MM: Final = 1.25
"""Lattice of a vertebra's distances; label maps have 0.7 to 3 mm."""

_MARGIN_MM: Final = 7.0
_SHARED_ML: Final = 1.0
"""A level of fewer labelled millilitres is a sliver at the border and is left to the soft tissue."""


@dataclass(frozen=True, eq=False)
class MappedVertebra:
    """A vertebra of a label map.

    Attributes:
        level: VerSe number.
        centre_mm: (3,) body centre in the map's world.
        axes: (3, 3) columns right, anterior, up.
        sizes: mm, measured, by the names of `morphometry.COLUMNS` and `middle_height`, `anterior_height`.
        field: channels whole, cut (negative on the body's side) and lateral, in the vertebra's frame.
        whole_in_map: the border does not cut its body.
    """

    level: int
    centre_mm: Array
    axes: Array
    sizes: dict[str, float]
    field: LatticeField
    whole_in_map: bool

    @property
    def lattice_from_world(self) -> Array:
        """(4, 4) lattice index of the field at a point of the map's world."""
        frame = np.eye(4)
        frame[:3, :3] = self.axes.T
        frame[:3, 3] = -self.axes.T @ self.centre_mm
        return np.asarray(self.field.lattice_from_world @ frame)


def mapped_vertebrae(level: Volume) -> tuple[MappedVertebra, ...]:
    """Every vertebra of a map of VerSe levels (RAS), from head to foot, in smooth distances."""
    whole = {v.level: v for v in labelled_vertebrae(level, None)}
    frames = [(v, v.level in whole) for v in _all_frames(level, whole)]
    return tuple(_mapped(level, frame, uncut) for frame, uncut in frames)


def _all_frames(level: Volume, whole: dict[int, LabelledVertebra]) -> list[LabelledVertebra]:
    """Frames of cut vertebrae too: those borrow their axes from the nearest whole one."""
    counts = np.bincount(level.array.ravel(), minlength=32) * level.grid.voxel_volume_mm3 / 1000
    present = [n for n in VERTEBRA_LEVELS if counts[n] >= _SHARED_ML]
    if not present or not whole:
        return [whole[n] for n in present if n in whole]
    padded = np.pad(level.array, 2)
    affine = level.affine.copy()
    affine[:3, 3] = level.grid.world((-2, -2, -2))
    rough = {v.level: v for v in labelled_vertebrae(Volume(padded, affine), None)}
    frames = []
    for number in present:
        if number in whole:
            frames.append(whole[number])
            continue
        near = min(whole, key=lambda n: abs(COLUMN_ORDER.index(n) - COLUMN_ORDER.index(number)))
        axes = whole[near].axes
        centre = rough[number].centre_mm if number in rough else _front_centre(level, number, axes)
        frames.append(LabelledVertebra(number, centre, axes))
    return frames


def _front_centre(level: Volume, number: int, axes: Array) -> Array:
    """The middle of the front third: where the atlas has its anterior arch."""
    at = level.grid.world(np.argwhere(level.array == number)) @ axes
    front = at[at[:, 1] >= np.percentile(at[:, 1], 80)]
    return np.asarray(axes @ np.array([np.median(at[:, 0]), front[:, 1].mean(), front[:, 2].mean()]))


def usual_sizes(level: int) -> dict[str, float]:
    """Sizes of the tables, with the heights that a body has along its depth."""
    table = dict(LEVEL_SIZES[level])
    return table | {"middle_height": table["height"], "anterior_height": table["height"]}


def _mapped(level: Volume, frame: LabelledVertebra, uncut: bool) -> MappedVertebra:
    usual = usual_sizes(frame.level)
    lattice = _in_frame(level, frame)
    canal = find_canal(lattice, usual)
    cut = body_cut(lattice, canal, frame.level)
    body = np.maximum(lattice.whole, cut) < 0
    shift = np.zeros(3)
    if body.any() and frame.level not in CERVICAL[:1]:
        at = np.argwhere(body)
        steps = (lattice.right, lattice.anterior, lattice.up)
        shift = np.array([axis[at[:, i]].mean() for i, axis in enumerate(steps)])
    shift[1] = max(shift[1], -4.0)
    lateral = side_wall(lattice, cut)
    moved = FrameLattice(
        lattice.whole, lattice.right - shift[0], lattice.anterior - shift[1], lattice.up - shift[2]
    )
    canal = replace(canal, wall_mm=canal.wall_mm - float(shift[1]))
    sizes = measured_sizes(moved, cut, canal, usual)
    origin = np.array([moved.right[0], moved.anterior[0], moved.up[0]])
    to_lattice = np.diag([1 / FRAME_STEP_MM] * 3 + [1.0])
    to_lattice[:3, 3] = -origin / FRAME_STEP_MM
    values = np.stack([lattice.whole, cut, lateral]).astype(np.float32)
    values = np.clip(values, -60, 60).astype(np.float16)
    centre = frame.centre_mm + frame.axes @ shift
    return MappedVertebra(
        frame.level, centre, frame.axes, sizes, LatticeField(torch.from_numpy(values), to_lattice), uncut
    )


def _in_frame(level: Volume, frame: LabelledVertebra) -> FrameLattice:
    """Distances of the level's bone on a lattice in its frame."""
    mask, start = _box(level, frame.level)
    knots = spline_levelset(mask, level.grid.spacing_mm)
    local = (level.grid.world(np.argwhere(mask) + start) - frame.centre_mm) @ frame.axes
    low = np.minimum(local.min(0), [-20, -30, -8]) - _MARGIN_MM
    high = np.maximum(local.max(0), [20, 12, 8]) + _MARGIN_MM
    shape = tuple(int(n) for n in np.ceil((high - low) / FRAME_STEP_MM).astype(int) + 1)
    affine = np.eye(4)
    affine[:3, :3] = frame.axes * FRAME_STEP_MM
    affine[:3, 3] = frame.centre_mm + frame.axes @ low
    world = lattice_points(affine, (shape[0], shape[1], shape[2]))
    index = np.moveaxis(level.grid.voxel(world) - start, -1, 0)
    levelset = ndimage.map_coordinates(
        knots, index, order=3, prefilter=False, mode="nearest", output=np.float32
    )
    whole = signed_distance(levelset, FRAME_STEP_MM)
    right, anterior, up = (low[i] + FRAME_STEP_MM * np.arange(shape[i]) for i in range(3))
    return FrameLattice(whole, right, anterior, up)


def _box(level: Volume, number: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The level's largest part in a box with a margin, and the box's first voxel."""
    box = ndimage.find_objects(level.array, max_label=number)[number - 1]
    margin = np.ceil(_MARGIN_MM / np.array(level.grid.spacing_mm)).astype(int)
    start = np.maximum([s.start for s in box] - margin, 0)
    stop = np.minimum([s.stop for s in box] + margin, level.array.shape)
    x, y, z = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    return _largest_part(level.array[x, y, z] == number), np.asarray(start, np.int64)


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask's largest connected part; specks elsewhere are errors of a segmentation."""
    parts, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return np.asarray(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])))
