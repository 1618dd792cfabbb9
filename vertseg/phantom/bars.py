"""Bars of bone: tapered capsules of which the bones apart from the vertebrae are built. World RAS, mm."""

from dataclasses import dataclass

import numpy as np

from vertseg.phantom.types import Array


@dataclass(frozen=True)
class Bar:
    """A tapered elliptic capsule: ends in world mm, radii at both, stretch along world axes, cortex in mm."""

    start: tuple[float, ...]
    end: tuple[float, ...]
    radii: tuple[float, float]
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)
    cortex: float = 1.2
    marrow: float | None = None
    hollow: bool = False


def to_world(frame: Array, origin: Array, point: tuple[float, float, float]) -> tuple[float, ...]:
    """Patient mm of a point given in a frame (columns of `frame`) at `origin`."""
    return tuple(float(c) for c in origin + frame @ np.asarray(point))
