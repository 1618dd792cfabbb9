"""The spinal canal behind a body: bone driven into it, and how narrow it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CanalNarrowing:
    """Canal at one vertebra; None where it, or a neighbour to compare with, is not seen.

    Attributes:
        area_mm2: least cross-section at this vertebra.
        neighbours_area_mm2: mean of the same at the neighbours.
        narrowing_percent: how much smaller it is than theirs, not below 0.
        depth_mm: least depth (anterior to posterior) in the midline.
        neighbours_depth_mm: mean of the neighbours'.
        depth_narrowing_percent: how much shallower it is, not below 0.
        retropulsion_mm: how far the body reaches behind the line of the neighbours' posterior walls, not below 0.
        retropulsion_ml: bone behind that line.
    """

    area_mm2: float | None = None
    neighbours_area_mm2: float | None = None
    narrowing_percent: float | None = None
    depth_mm: float | None = None
    neighbours_depth_mm: float | None = None
    depth_narrowing_percent: float | None = None
    retropulsion_mm: float | None = None
    retropulsion_ml: float | None = None
