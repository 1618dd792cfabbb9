"""What can be wrong with a vertebra, in numbers: every length in mm in the vertebra's frame (right, anterior, up)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LesionKind = Literal[
    "lytic_lesion", "sclerotic_lesion", "mixed_lesion", "hemangioma", "osteoid_osteoma", "fat_void"
]
"""The first three are labelled (a mixed lesion marks both masks); the others are benign mimics without a label."""

FractureKind = Literal["wedge", "biconcave", "crush", "burst"]


@dataclass(frozen=True)
class Lesion:
    """A focal lesion.

    Attributes:
        kind: one of `LesionKind`.
        centre: (3,) from the body centre.
        radii: (3,) semi-axes; of the outline as a whole where `lobes` is empty.
        hu: attenuation inside; of the sclerotic part of a mixed lesion, of the stroma of a hemangioma.
        breaks_cortex: the shell inside the lesion is gone.
        phase: (3,) radians of the outline's irregularity.
        lobes: (K, 6) centre and semi-axes of the lobes that make up the outline.
        expands_mm: how far the bone bulges outward over the lesion.
        extends_mm: how far a soft-tissue mass reaches beyond the bone (epidural, paravertebral).
        shell_left: share of the shell inside the lesion that still stands in spite of `breaks_cortex`.
        rim_hu: attenuation of a sclerotic margin; 0 for none.
        lytic_hu: attenuation of the lytic part of a mixed lesion.
    """

    kind: LesionKind
    centre: Array
    radii: Array
    hu: float
    breaks_cortex: bool
    phase: Array
    lobes: tuple[tuple[float, ...], ...] = ()
    expands_mm: float = 0.0
    extends_mm: float = 0.0
    shell_left: float = 0.0
    rim_hu: float = 0.0
    lytic_hu: float = 40.0


@dataclass(frozen=True)
class WallHole:
    """A hole through the posterior wall without a lesion.

    Attributes:
        right_mm, up_mm: its centre on the wall.
        radius_mm: of the disc of the same area as seen from behind.
        hu: attenuation of what fills it.
        stretch: the hole is this many times as wide as high (of equal area); 1 for round.
        ragged_mm: how far its edge strays.
        deep_mm: how far the marrow behind the wall is gone.
    """

    right_mm: float
    up_mm: float
    radius_mm: float
    hu: float
    stretch: float = 1.0
    ragged_mm: float = 1.2
    deep_mm: float = 4.0


@dataclass(frozen=True)
class SchmorlNode:
    """Disc that sank through an endplate: centre, whether the upper (+1) or lower (-1) one, sizes, rim in HU."""

    right_mm: float
    anterior_mm: float
    side: float
    radius_mm: float
    depth_mm: float
    rim_hu: float
    disc_hu: float


@dataclass(frozen=True)
class Dent:
    """A part of an endplate (+1 upper, -1 lower) driven in by `depth_mm`; semi-axes (right, anterior)."""

    side: float
    right_mm: float
    anterior_mm: float
    radii_mm: tuple[float, float]
    depth_mm: float


@dataclass(frozen=True)
class Crack:
    """A fracture line: a wavy plane of `width_mm`.

    Attributes:
        point, normal: (3,) where it runs.
        width_mm: of the gap.
        where: "upper" or "lower" for one that stays near that endplate, "body" for one that crosses the whole
            body.
        hu: attenuation in it.
    """

    point: tuple[float, float, float]
    normal: tuple[float, float, float]
    width_mm: float
    where: Literal["upper", "lower", "body"]
    hu: float


@dataclass(frozen=True)
class Fragment:
    """The upper posterior corner of the body, driven back into the canal.

    Attributes:
        half_width_mm: to either side of `right_mm`.
        height_mm: from the upper endplate down.
        length_mm: from the posterior wall forward.
        shift_mm: how far it moved back.
        gap_mm: width of the fracture around it.
    """

    right_mm: float
    half_width_mm: float
    height_mm: float
    length_mm: float
    shift_mm: float
    gap_mm: float


@dataclass(frozen=True)
class Cleft:
    """An intravertebral cleft: a flat hollow of gas or fluid with a dense rim."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    hu: float
    rim_hu: float


@dataclass(frozen=True)
class Fracture:
    """How a vertebra broke, beyond the heights in its sizes.

    Attributes:
        kind: by its deformity.
        band_hu: extra attenuation of the band of impacted trabeculae under `band_side`'s endplate.
        buckle_mm, step_mm, buckle_up_mm: bulge and step of the anterior wall, and the height at which it broke.
    """

    kind: FractureKind
    dents: tuple[Dent, ...] = ()
    cracks: tuple[Crack, ...] = ()
    band_hu: float = 0.0
    band_side: float = 1.0
    band_mm: float = 3.0
    buckle_mm: float = 0.0
    step_mm: float = 0.0
    buckle_up_mm: float = 0.0
    fragment: Fragment | None = None
    cleft: Cleft | None = None


@dataclass(frozen=True)
class Strand:
    """A cast of cement outside the deposit: a chain of round bars.

    Attributes:
        route: where it went; "track" is the tail along the cannula's way.
        points: (K, 3) vertices.
        radius_mm: of the bars.
        stretch: (3,) flattening of their section.
    """

    route: Literal["disc", "vein", "canal", "track"]
    points: tuple[tuple[float, float, float], ...]
    radius_mm: float
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class CementFill:
    """PMMA in a body and where it leaked.

    Attributes:
        lobes: (K, 6) centre and semi-axes of the deposit's lobes.
        hu: mean attenuation; the opacifier's grains scatter around it.
        rough_mm: how far its edge runs between trabeculae (near 0 in a cavity made by a balloon).
        strands: casts that left the deposit.
        phase: (3,) radians of the irregularity.
    """

    lobes: tuple[tuple[float, ...], ...]
    hu: float
    rough_mm: float
    strands: tuple[Strand, ...]
    phase: tuple[float, float, float]


@dataclass(frozen=True)
class Screws:
    """Pedicle screws on the given sides (+1 right, -1 left), with rods to the level `rod_to` (0 for none)."""

    sides: tuple[float, ...]
    radius_mm: float
    depth_share: float
    rod_radius_mm: float
    rod_to: int
    hu: float
