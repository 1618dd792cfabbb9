"""Where a lesion lies in its vertebra, how large it is and what it touches."""

from dataclasses import dataclass
from typing import Literal

LesionKind = Literal["none", "lytic", "mixed", "sclerotic"]
Side = Literal["none", "right", "left", "both"]


@dataclass(frozen=True)
class LesionExtent:
    """Lesions of one vertebra. Shares are 0 to 1; None where the part itself is not seen.

    Attributes:
        kind: what there is of it.
        lytic_ml, sclerotic_ml: volumes in body and posterior elements.
        lytic_share, sclerotic_share: part of the body's volume.
        posterior_ml: lytic volume in the posterior elements.
        side: sides of the body's midline on which the lytic lesion lies.
        right_share: part of the body's lytic volume that lies right of the midline.
        upper_endplate_mm2, lower_endplate_mm2: endplate that the lytic lesion touches.
        upper_endplate_share, lower_endplate_share: that over the whole endplate.
        wall_mm2, wall_share: posterior wall that it touches.
        wall_distance_mm: from the lytic lesion to the posterior wall; 0 where it touches it.
        right_pedicle_share, left_pedicle_share: lytic part of each pedicle.
    """

    kind: LesionKind
    lytic_ml: float
    sclerotic_ml: float
    lytic_share: float | None = None
    sclerotic_share: float | None = None
    posterior_ml: float = 0.0
    side: Side = "none"
    right_share: float | None = None
    upper_endplate_mm2: float = 0.0
    lower_endplate_mm2: float = 0.0
    upper_endplate_share: float | None = None
    lower_endplate_share: float | None = None
    wall_mm2: float | None = None
    wall_share: float | None = None
    wall_distance_mm: float | None = None
    right_pedicle_share: float | None = None
    left_pedicle_share: float | None = None
