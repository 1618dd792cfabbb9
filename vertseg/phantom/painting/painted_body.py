"""A patient made of a label map: its deformation, its numbers, and its vertebrae measured."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from vertseg.labels import COLUMN_ORDER
from vertseg.phantom.painting.body_deformation import Deformation, drawn_deformation
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy
from vertseg.phantom.painting.mapped_vertebra import MappedVertebra
from vertseg.phantom.pathology.mix import add_pathology
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.types import Anatomy, Array, ScanConfig, VertebraShape

_COLLAPSED: Final = 0.2
"""Height loss from which a vertebra counts as fractured (Genant grade 1)."""

_STRETCH_AXIS: Final = {"depth": 1, "canal_depth": 1, "spinous_length": 1} | dict.fromkeys(
    ("height", "middle_height", "anterior_height", "pedicle_height", "spinous_drop"), 2
)


@dataclass(frozen=True, eq=False)
class PaintedBody:
    """A label map, the deformation that makes a patient of it, and that patient's numbers.

    Attributes:
        anatomy: the whole column, mapped vertebrae with pathology; levels that the map lacks are drawn.
        healthy: level -> mapped vertebra before its pathology.
        stretches: level -> (3,) patient mm of a map mm along the vertebra's axes; the first is negative in a
            mirror patient.
    """

    labelled: LabelledAnatomy
    deformation: Deformation
    anatomy: Anatomy
    healthy: dict[int, VertebraShape]
    stretches: dict[int, Array]


def draw_body(labelled: LabelledAnatomy, seed: int, config: ScanConfig, strength: float) -> PaintedBody:
    """A patient of a label map for this seed, with pathology as the config asks; the sacrum is at the origin.

    Args:
        labelled: the map.
        seed: of the deformation, attenuations and pathology.
        config: its `pathology`, `appearance` and `device` are heeded.
        strength: of the deformation; 0 keeps the map's shape and place but for a shift.
    """
    template = draw_anatomy(seed, replace(config, pathology=0.0, case="random"))
    pivot = np.mean([v.centre_mm for v in labelled.vertebrae], axis=0)
    deformation = drawn_deformation(labelled.grid, pivot, strength, seed)
    shapes, stretches = _shapes(labelled.vertebrae, deformation, template)
    column, sacrum, axes = _completed(template, shapes)
    column = tuple(replace(s, centre_mm=s.centre_mm - sacrum) for s in column)
    healthy = {s.level: s for s in column if s.level in shapes}
    able = tuple(healthy[v.level] for v in labelled.vertebrae if v.whole_in_map)
    sick = {s.level: s for s in add_pathology(able, config, template.hu, np.random.default_rng([seed, 2]))}
    column = tuple(sick.get(s.level, s) for s in column)
    anatomy = replace(template, vertebrae=column, sacrum_centre_mm=np.zeros(3), sacrum_axes=axes)
    return PaintedBody(labelled, deformation.shifted(-sacrum), anatomy, healthy, stretches)


def _shapes(
    vertebrae: tuple[MappedVertebra, ...], deformation: Deformation, template: Anatomy
) -> tuple[dict[int, VertebraShape], dict[int, Array]]:
    """Level -> vertebra in the patient, sized as measured (what cannot be is the template's); level -> stretch."""
    centres, axes, lengths = deformation.poses(
        np.stack([v.centre_mm for v in vertebrae]), np.stack([v.axes for v in vertebrae])
    )
    mirror = np.array([-1.0 if deformation.mirrored else 1.0, 1.0, 1.0])
    shapes: dict[int, VertebraShape] = {}
    stretches: dict[int, Array] = {}
    for v, centre, own, stretch in zip(vertebrae, centres, axes, lengths, strict=True):
        like = _like(template, v.level)
        sizes = {k: x * float(stretch[_STRETCH_AXIS.get(k, 0)]) for k, x in v.sizes.items()}
        heights = [sizes[k] for k in ("height", "middle_height", "anterior_height")]
        loss = 1.0 - min(heights) / max(heights)
        loss = loss if v.whole_in_map and loss >= _COLLAPSED else 0.0
        shapes[v.level] = replace(
            like, level=v.level, centre_mm=centre, axes=own, sizes={**like.sizes, **sizes},
            height_loss=loss,
        )  # fmt: skip
        stretches[v.level] = stretch * mirror
    return shapes, stretches


def _like(template: Anatomy, level: int) -> VertebraShape:
    """The template's vertebra of this level, or of the nearest one where it has none."""
    rank = COLUMN_ORDER.index(level)
    return min(template.vertebrae, key=lambda s: abs(COLUMN_ORDER.index(s.level) - rank))


def _completed(
    template: Anatomy, shapes: dict[int, VertebraShape]
) -> tuple[tuple[VertebraShape, ...], Array, Array]:
    """The whole column from head to foot, and the sacrum's centre and axes.

    Above and below the map's levels the template goes on, moved rigidly to its last one.
    """
    ranks = sorted(COLUMN_ORDER.index(n) for n in shapes)
    top, bottom = (shapes[COLUMN_ORDER[r]] for r in (ranks[0], ranks[-1]))
    column = []
    for shape in template.vertebrae:
        rank = COLUMN_ORDER.index(shape.level)
        if shape.level in shapes or ranks[0] < rank < ranks[-1]:
            continue
        end = top if rank < ranks[0] else bottom
        turn, shift = _carried(_like(template, end.level), end)
        column.append(replace(shape, centre_mm=turn @ shape.centre_mm + shift, axes=turn @ shape.axes))
    turn, shift = _carried(_like(template, bottom.level), bottom)
    everything = sorted([*column, *shapes.values()], key=lambda s: COLUMN_ORDER.index(s.level))
    return (
        tuple(everything), turn @ template.sacrum_centre_mm + shift, turn @ template.sacrum_axes,
    )  # fmt: skip


def _carried(drawn: VertebraShape, mapped: VertebraShape) -> tuple[Array, Array]:
    """Rotation and shift that take the template's vertebra to the mapped one."""
    turn = mapped.axes @ drawn.axes.T
    return turn, mapped.centre_mm - turn @ drawn.centre_mm
