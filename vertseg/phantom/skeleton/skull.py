"""Skull base, vault, face and jaw, as a neck scan's upper edge shows them. World RAS, mm."""

from collections.abc import Iterator

import numpy as np

from vertseg.labels import CERVICAL
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.skeleton.bars import Bar, Cup, Part, Plate
from vertseg.phantom.tissue.layers import lay_blob
from vertseg.phantom.types import Anatomy, Array

VAULT_MM = 71.0


def _atlas(anatomy: Anatomy) -> Array:
    return np.asarray(next(s.centre_mm for s in anatomy.vertebrae if s.level == CERVICAL[0]))


def skull_parts(anatomy: Anatomy) -> Iterator[Part]:
    """Vault, condyles over the atlas with a gap, petrous pyramids, upper jaw and mandible."""
    c1 = _atlas(anatomy)

    def at(x: float, y: float, z: float) -> Array:
        return np.asarray(c1 + np.array([x, y, z]))

    yield Cup(at(0, 6, 88), VAULT_MM - 6.0, VAULT_MM, np.array([0.0, 0.0, 1.0]), 1.0e3, 2.2)
    yield Cup(at(0, -14, 82), VAULT_MM - 7.0, VAULT_MM - 1.0, np.array([0.0, 0.0, 1.0]), 1.0e3, 2.2)
    for side in (-1.0, 1.0):
        yield Bar(
            tuple(at(side * 17, -8, 15.5)), tuple(at(side * 20, -2, 17)), (6.0, 6.0), (1.0, 1.5, 0.8), 1.4
        )
        yield Plate(
            np.stack([at(side * 14, 2, 19), at(side * 18, -26, 18), at(side * 56, -14, 30)]),
            (5.0, 4.0, 5.0),
            1.6,
        )
        yield Bar(tuple(at(side * 18, 14, 30)), tuple(at(side * 58, -8, 30)), (8.0, 12.0), cortex=3.5)
        yield Bar(tuple(at(side * 56, -12, 26)), tuple(at(side * 54, -6, 4)), (11.0, 6.0), cortex=1.4)
        ramus = np.stack(
            [at(side * 50, 22, 26), at(side * 47, 20, -26), at(side * 46, 46, -24), at(side * 48, 46, 14)]
        )
        yield Plate(ramus[:3], (4.0, 4.5, 4.5), 1.8)
        yield Plate(ramus[[0, 2, 3]], (4.0, 4.5, 3.0), 1.8)
        yield Bar(
            tuple(at(side * 46, 30, -26)), tuple(at(side * 30, 72, -32)), (5.5, 5.8), (0.9, 0.9, 1.9), 2.2
        )
        yield Bar(tuple(at(side * 30, 72, -32)), tuple(at(0, 90, -34)), (5.8, 6.4), (0.9, 0.9, 1.9), 2.2)
        yield Bar(tuple(at(side * 26, 56, 0)), tuple(at(side * 2, 84, 0)), (6.0, 6.0), (1.0, 1.0, 1.4), 1.6)
        yield Bar(tuple(at(side * 24, 52, 0)), tuple(at(side * 30, 62, 28)), (3.0, 3.0), cortex=1.4)
        teeth = ((26, 62), (22, 72), (14, 81), (5, 86))
        for x, y in teeth:
            yield Bar(tuple(at(side * x, y, -8)), tuple(at(side * x, y + 1, -22)), (3.6, 3.6), cortex=4.0)


def paint_head(canvas: Canvas, anatomy: Anatomy, muscle: float) -> None:
    """Brain, air of nose and throat, tongue, spaces of the upper jaw."""
    c1 = _atlas(anatomy)
    if canvas.box(c1[None], 120.0) is None:
        return

    def blob(x: float, y: float, z: float, radii: tuple[float, float, float], hu: float) -> None:
        lay_blob(canvas, (float(c1[0] + x), float(c1[1] + y), float(c1[2] + z)), radii, hu, 0.06)

    blob(0, -4, 86, (66.0, 78.0, 64.0), 33.0)
    blob(0, 60, -14, (26.0, 30.0, 20.0), muscle)
    blob(0, 62, 18, (13.0, 34.0, 16.0), -900.0)
    blob(0, 24, 8, (12.0, 9.0, 26.0), -980.0)
    for side in (-1.0, 1.0):
        blob(side * 28, 62, 22, (14.0, 16.0, 16.0), -960.0)
        blob(side * 40, 4, -10, (12.0, 18.0, 24.0), 15.0)
        blob(side * 42, 34, -6, (8.0, 12.0, 22.0), muscle)
