"""Cannulas by gauge, and the largest that fits."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Gauge:
    """A cannula size: its name, and its outer diameter in mm."""

    name: str
    outer_mm: float


GAUGES: Final = (
    Gauge("8G", 4.191),
    Gauge("10G", 3.404),
    Gauge("11G", 3.048),
    Gauge("13G", 2.413),
    Gauge("15G", 1.829),
)
"""Sizes sold for vertebroplasty, thickest first; nominal outer diameters of the Birmingham (Stubs) gauge, in inches
0.165, 0.134, 0.120, 0.095 and 0.072, to which needle tubing is made."""

BONE_MARGIN_MM: Final = 1.0
"""Bone that has to stay around the cannula on all sides of the pedicle: about the thickness of its own wall (mean
cortex 0.6 to 1.3 mm, thinnest medially in the thorax) and the width of a voxel of the masks that it is planned on."""


def largest_gauge(axis_to_surface_mm: float, margin_mm: float = BONE_MARGIN_MM) -> Gauge | None:
    """The thickest cannula that leaves the margin; None if not even the thinnest does.

    Args:
        axis_to_surface_mm: least distance from the cannula's axis to the surface of the bone.
        margin_mm: bone that has to stay.
    """
    return next((g for g in GAUGES if axis_to_surface_mm - g.outer_mm / 2 >= margin_mm), None)
