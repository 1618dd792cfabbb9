"""How a vertebra stands to its neighbours: kyphosis between endplates and slip."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Alignment:
    """Angles and slips in the sagittal plane; None where a neighbour is not seen.

    Attributes:
        wedge_deg: between its own endplates; positive where it is lower in front (kyphotic).
        segment: names of the levels that the segmental angle spans.
        segment_kyphosis_deg: Cobb angle from the upper endplate of the vertebra above to the lower endplate of
            the one below; positive kyphotic.
        slip_below_mm: how far it lies in front (positive) of or behind the vertebra below.
        slip_below_percent: that in percent of the depth of the endplate below.
        slip_above_mm, slip_above_percent: the same of the vertebra above on this one.
    """

    wedge_deg: float | None = None
    segment: tuple[str, ...] = ()
    segment_kyphosis_deg: float | None = None
    slip_below_mm: float | None = None
    slip_below_percent: float | None = None
    slip_above_mm: float | None = None
    slip_above_percent: float | None = None
