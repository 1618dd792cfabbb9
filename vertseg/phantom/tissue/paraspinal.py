"""Muscles beside the column: multifidus, longissimus, iliocostalis, quadratus lumborum, psoas, neck muscles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from vertseg.phantom.canvas import Box, Canvas
from vertseg.phantom.shapes import coverage, waves
from vertseg.phantom.tissue.grain import Grain
from vertseg.phantom.tissue.layers import Hu, Layer, lay
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.tissues import Tissues
from vertseg.phantom.types import Anatomy, Array

MUSCLE_STEP_MM: Final = 4.0
FIBRE_GRAIN_MM: Final = (1.3, 1.1, 5.0)
"""Streaks of fat in muscle run along the column."""

_PLACES: Final = (-3.5, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 15.0, 17.5, 19.0, 24.0)
"""Places along the column (see `spine_frame.place_of`) at which the widths below are given."""


@dataclass(frozen=True)
class Muscle:
    """A muscle as a section that changes along the column; one entry per knot of the frame, mm."""

    name: str
    right: Array
    front: Array
    half_width: Array
    half_depth: Array
    lean: float
    wasting: float


def _profile(frame: SpineFrame, *values: float) -> Array:
    return np.interp(frame.place, _PLACES, values)


def back_muscles(frame: SpineFrame, anatomy: Anatomy, infiltration: float) -> list[Muscle]:
    """Sections of the muscles of one side, medial to lateral.

    Widths follow axial CT of adults: multifidus widens from about 12 mm (L1) to 28 mm (S1), the erector
    spinae is 45-60 mm wide at L3 and thins to a tendon on the sacrum, the psoas grows from L1 to L5.
    """
    size = float(np.clip(anatomy.trunk["erector"] / 24.0, 0.78, 1.22))
    psoas = float(np.clip(anatomy.trunk["psoas"] / 19.0, 0.72, 1.3))
    lamina = -(frame.half_depth + frame.canal_depth + 5.0)
    tip = -(frame.half_depth + frame.spinous)
    bed = -(frame.half_depth + 0.75 * frame.canal_depth + 7.0)
    # The fascia lies at the tips of the spinous processes, a little behind them where muscles are strong.
    fascia = np.minimum(tip - 1.0 - 5.0 * (size - 1.0), bed - 9.0)
    m_width = _profile(frame, 3, 12, 24, 27, 27, 24, 20, 16, 14, 12, 10, 10, 11, 11, 12, 9) * size**0.5
    l_width = _profile(frame, 1, 1, 8, 15, 22, 25, 27, 28, 28, 27, 24, 21, 15, 12, 12, 10) * size**0.5
    i_width = _profile(frame, 1, 1, 3, 12, 22, 26, 28, 28, 26, 24, 20, 17, 10, 6, 10, 9) * size**0.5
    depth = _profile(frame, 5, 9, 16, 24, 33, 38, 40, 39, 34, 28, 19, 16, 13, 14, 24, 24) * size
    m_depth = np.minimum(lamina - fascia, 1.15 * depth)
    q_width = _profile(frame, 0, 0, 0, 0.5, 12, 17, 18, 16, 13, 4, 0, 0, 0, 0, 0, 0) * size**0.5
    p_round = _profile(frame, 0, 12, 16, 19, 21, 20, 17, 13, 8, 2, 0, 0, 0, 0, 0, 0) * psoas
    shrink = 1.0 - 0.16 * infiltration
    first, second = 1.8 + m_width, 1.0 + m_width + l_width
    p_right = (
        frame.half_width + 0.72 * p_round + _profile(frame, 8, 8, 8, 8, 2, 0, -1, -2, -4, 0, 0, 0, 0, 0, 0, 0)
    )
    p_front = _profile(frame, 20, 24, 22, 16, 6, 1, -2, -5, -7, -8, 0, 0, 0, 0, 0, 0) - 3.0
    edge = np.minimum(fascia + depth, bed)
    return [
        Muscle(
            "multifidus", 2.0 + m_width / 2, fascia + m_depth / 2, m_width / 2 * shrink, m_depth / 2, 0.0, 1.3
        ),
        Muscle(
            "longissimus", first + l_width / 2, 0.5 * (edge + fascia) + 0.5, l_width / 2 * shrink,
            0.5 * (edge - fascia) * shrink, 0.05, 1.0,
        ),
        Muscle(
            "iliocostalis", second + i_width / 2, 0.5 * (edge + fascia) + 5.5, i_width / 2 * shrink,
            0.46 * (edge - fascia) * shrink, 0.36, 0.8,
        ),
        Muscle(
            "quadratus", frame.span + 0.62 * q_width + 4.0, bed + 12.0, q_width, 0.44 * q_width, 0.35, 0.7
        ),
        Muscle("psoas", p_right, p_front, 0.92 * p_round, 1.05 * p_round, -0.25, 0.15),
    ]  # fmt: skip


def section_distance(right: Tensor, front: Tensor, table: Tensor, lean: float) -> Tensor:
    """Distance (mm) to a rounded box-like section; `table` (..., 4) holds its centre and half sizes."""
    du = right.abs() - table[..., 0]
    dv = front - table[..., 1] - lean * du
    a, b = (du / table[..., 2].clamp_min(0.2)).abs(), (dv / table[..., 3].clamp_min(0.2)).abs()
    k = (a * a * a + b * b * b + 1e-9) ** (1.0 / 3.0)
    return (k - 1.0) / k.clamp_min(0.3) * torch.sqrt(du * du + dv * dv + 0.5)


def paint_back_muscles(canvas: Canvas, frame: SpineFrame, anatomy: Anatomy, tissues: Tissues) -> None:
    """Compartment fat, then each muscle with its fat streaks, and the ligaments between the spinous processes."""
    boxes = frame.boxes(canvas, (-4.5, -98.0, -92.0), (25.0, 98.0, 40.0))
    if not boxes:
        return
    muscles = back_muscles(frame, anatomy, tissues.infiltration)
    fibres = _fibres(canvas, tissues, anatomy.seed)
    columns = [frame.channel(m.right, m.front, m.half_width, m.half_depth) for m in muscles]
    strip = frame.channel(frame.half_depth + frame.canal_depth, frame.half_depth + frame.spinous)

    def layers(p: Tensor) -> list[Layer]:
        index, right, front = frame.locate(p)
        uneven = 0.8 * waves(p, (float(anatomy.seed % 11), 0.4, 1.3), 27.0)
        sections = [
            section_distance(right, front, c[index], m.lean) + uneven
            for m, c in zip(muscles, columns, strict=True)
        ]
        # Fat lies between the compartments and in the muscle's grooves, up to the fascia.
        erector = torch.minimum(torch.minimum(sections[0], sections[1]), sections[2]) - 1.4
        ends = strip[index]
        between = (front + 0.5 * (ends[..., 0] + ends[..., 1])).abs() - 0.5 * (ends[..., 1] - ends[..., 0])
        ligament = torch.maximum(right.abs() - 2.4, between)
        out = [Layer(erector, tissues.fat + 12.0), Layer(ligament, 0.55 * tissues.muscle)]
        out += [Layer(d, fibres(m.wasting)) for d, m in zip(sections, muscles, strict=True)]
        return out

    for box in boxes:
        lay(canvas, box, layers, max(MUSCLE_STEP_MM, 2.0 * min(canvas.grid.spacing_mm)))


def _fibres(canvas: Canvas, tissues: Tissues, seed: int) -> Callable[[float], Hu]:
    """HU of a muscle by how much it wastes: streaks of fat along its fibres where it has wasted."""
    tile = Grain(canvas, FIBRE_GRAIN_MM, (seed, 41))

    def hu_of(wasting: float) -> Hu:
        share = min(0.95, wasting * tissues.infiltration)
        lean = tissues.muscle - 8.0 * share
        if share < 0.08:
            return lean

        def streaked(box: Box, distance: Tensor) -> Tensor:
            fatty = coverage(tile.at(box).neg_().add_(2.0 - 1.9 * share), 1.3)
            return fatty.mul_(0.7 * (tissues.fat - tissues.muscle)).add_(lean)

        return streaked

    return hu_of
