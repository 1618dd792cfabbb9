"""How much cement a vertebral body takes, and what range is suggested."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.labels import region_of
from vertseg.planning.remark import Remark
from vertseg.planning.upright import UprightVertebra
from vertseg.volume import box_around

SUGGESTED_FILL: Final = (0.14, 0.20)
"""Cement as share of the body's volume. 14 % brought the stiffness of a damaged body back to what it was (a finite
element model, Liebschner et al. 2001), 16.2 % on average the strength of broken cadaver bodies (120 of T6-L5, weakly
correlated: r2 = 0.21, Molloy et al. 2003). The upper end is this project's choice: above what strength needs, and well
below the 29.8 % that stiffness needed in Molloy and the 30 % that made bodies half as stiff again as before in
Liebschner, for pain relief does not follow the volume (158 patients, Kaufmann et al. 2006) and leaks do."""

SOURCE: Final = (
    "Liebschner et al., Spine 2001;26:1547-54; Molloy et al., Spine 2003;28:1549-54; "
    "Kaufmann et al., AJNR 2006;27:1933-7"
)

CORTEX_MM: Final = 1.0
"""Shell taken off the body for its marrow space: cortex and endplates of 0.3 to 1 mm, and half a voxel of their blur."""

FILLABLE_CAP: Final = 0.6
"""No more than this part of the free marrow space is suggested: trabeculae and marrow that cannot leave stay in it."""

CAP_ML: Final = {"cervical": 2.5, "thoracic": 6.0, "lumbar": 8.0}
"""Most that is suggested for one body, by region: this project's choice, near the 7.1 ml a body that the first large
series injected on average (Jensen et al., AJNR 1997;18:1897-904)."""


@dataclass(frozen=True)
class CementVolume:
    """Volumes in ml.

    Attributes:
        body_ml: vertebral body, cortex included.
        fillable_ml: marrow space of the body inside its cortex, less the cement that is already there.
        lesion_ml: lytic lesion in the body.
        lesion_fillable_ml: the part of it that holds no cement; it has no cortex to spare.
        cement_ml: cement that is already in the body.
        suggested_ml: lower and upper end of the range still to inject; None where nothing more is suggested.
        suggested_fill: shares of the body's volume that the range was made from, cement already there included.
        source: where those shares come from.
        remarks: what capped or shifted the range.
    """

    body_ml: float
    fillable_ml: float
    lesion_ml: float
    lesion_fillable_ml: float
    cement_ml: float
    suggested_ml: tuple[float, float] | None
    suggested_fill: tuple[float, float]
    source: str
    remarks: tuple[Remark, ...] = ()


def cement_volume(vertebra: UprightVertebra) -> CementVolume | None:
    """Fillable volume of body and lesion, and the suggested range of cement; None without a body.

    The range is `SUGGESTED_FILL` of the body's volume less what cement is there, capped by `FILLABLE_CAP` of the
    space that is left and by `CAP_ML` of the region. A lytic lesion that is larger than the upper end lifts it to
    its own volume, within the same caps.

    Args:
        vertebra: in its own frame.
    """
    body = vertebra.body
    if not body.any():
        return None
    ml = vertebra.voxel_ml
    cement, lesion = vertebra.masks["cement"] & body, vertebra.masks["lytic_lesion"] & body
    shell = 1.0 - _core_shares(body, vertebra.spacing_mm)
    # Where a lesion reaches the surface there is no cortex to spare.
    space = np.where(lesion, 1.0, 1.0 - shell) * (body & ~cement)
    body_ml, cement_ml = float(body.sum()) * ml, float(cement.sum()) * ml
    fillable_ml = float(space.sum()) * ml
    lesion_ml, lesion_left_ml = float(lesion.sum()) * ml, float((lesion & ~cement).sum()) * ml
    suggested, remarks = _suggested(vertebra.level, body_ml, cement_ml, fillable_ml, lesion_left_ml)
    return CementVolume(
        round(body_ml, 2), round(fillable_ml, 2), round(lesion_ml, 2), round(lesion_left_ml, 2),
        round(cement_ml, 2), suggested, SUGGESTED_FILL, SOURCE, remarks,
    )  # fmt: skip


def _core_shares(body: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.float64]:
    """Share of each voxel (X, Y, Z) deeper under the body's surface than `CORTEX_MM`."""
    box = box_around(body, 1)
    depth = np.pad(body[box], 1)
    inner = (ndimage.distance_transform_edt(depth) - 0.5)[1:-1, 1:-1, 1:-1] * spacing_mm
    shares = np.zeros(body.shape)
    shares[box] = np.clip((inner - CORTEX_MM) / spacing_mm + 0.5, 0.0, 1.0)
    return shares


def _suggested(
    level: int, body_ml: float, cement_ml: float, fillable_ml: float, lesion_ml: float
) -> tuple[tuple[float, float] | None, tuple[Remark, ...]]:
    remarks = []
    low, high = (share * body_ml - cement_ml for share in SUGGESTED_FILL)
    if lesion_ml > high:
        remarks.append(
            Remark(
                "lesion_exceeds_range",
                f"The lesion alone holds {lesion_ml:.1f} ml; the upper end is lifted to fill it, within the caps.",
                {"lesion_ml": round(lesion_ml, 1)},
            )
        )
        high = lesion_ml
    region = region_of(level)
    cap = min(FILLABLE_CAP * fillable_ml, CAP_ML[region] - cement_ml)
    if cap < high:
        remarks.append(
            Remark(
                "capped",
                f"The upper end is capped at {max(cap, 0.0):.1f} ml: {100 * FILLABLE_CAP:.0f} % of the free marrow space, "
                f"and {CAP_ML[region]:.1f} ml in one {region} body.",
                {"cap_ml": round(max(cap, 0.0), 1)},
            )
        )
    low, high = max(min(low, cap), 0.0), min(high, cap)
    if high < 0.5:
        said = Remark(
            "nothing_more",
            f"{cement_ml:.1f} ml of cement and the caps leave less than 0.5 ml; no more is suggested.",
            {"cement_ml": round(cement_ml, 1)},
        )
        return None, (*remarks, said)
    return (round(low, 1), round(high, 1)), tuple(remarks)
