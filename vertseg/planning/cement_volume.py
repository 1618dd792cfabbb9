"""How much cement a vertebral body takes, and what range is suggested."""

from dataclasses import dataclass

from vertseg.planning.remark import Remark
from vertseg.planning.upright import UprightVertebra


@dataclass(frozen=True)
class CementVolume:
    """Volumes in ml; None where there is no body to measure.

    Attributes:
        body_ml: vertebral body, cortex included.
        fillable_ml: marrow space of the body inside its cortex, less the cement that is already there.
        lesion_ml: lytic lesion in the body.
        lesion_fillable_ml: the part of it inside the body's outline, less cement.
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

    Args:
        vertebra: in its own frame.
    """
    raise NotImplementedError
