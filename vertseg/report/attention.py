"""Traffic lights: which vertebrae want a look first. They order the reading, they do not decide an injection."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Light = Literal["red", "amber", "green"]

RED_WALL_MM2: Final = 40.0
AMBER_WALL_MM2: Final = 5.0
AMBER_FORAMEN_MM2: Final = 20.0
RED_LYTIC_SHARE: Final = 0.20
AMBER_LYTIC_SHARE: Final = 0.02
RED_LEAK: Final = 0.50
AMBER_LEAK: Final = 0.30
RED_LOSS_PERCENT: Final = 40.0
AMBER_LOSS_PERCENT: Final = 25.0
RED_NARROWING_PERCENT: Final = 20.0
AMBER_NARROWING_PERCENT: Final = 10.0
CANAL_CEMENT_ML: Final = 0.05
LEAST_CONFIDENCE: Final = 0.5


@dataclass(frozen=True)
class Reason:
    """Why a light is not green: a code that the texts name, and the number it comes from."""

    light: Light
    code: str
    value: float | None = None


@dataclass(frozen=True)
class Attention:
    """The light of a vertebra and its reasons, the graver first."""

    light: Light
    reasons: tuple[Reason, ...]


def attention(vertebra: Mapping[str, Any]) -> Attention:
    """Light of one vertebra of `report.json`.

    Red from a wall defect of 40 mm2, a lytic share of 20 %, a leak risk of 50 % that is not withheld, a height loss of
    40 % (Genant grade 3), a canal narrowing of 20 %, a SINS of at least 13 (unstable), cement in the canal, or where no
    cannula corridor is feasible. Amber from 5 mm2 (20 mm2 at the basivertebral foramen), 2 %, 30 %, 25 % (grade 2), 10 %, a SINS of at least 7, a leak risk
    that is withheld, cement outside of the body, a level that is uncertain (confidence below 0.5) or cut by the field
    of view. Green is the rest. The limits for height are Genant's (1993, J Bone Miner Res 8:1137-48), those for SINS
    Fisher's (2010, Spine 35:E1221-9); the others are chosen to order the reading and are not validated.
    """
    reasons = sorted(_reasons(vertebra), key=lambda reason: reason.light != "red")
    light: Light = reasons[0].light if reasons else "green"
    return Attention(light, tuple(reasons))


def _reasons(v: Mapping[str, Any]) -> Iterator[Reason]:
    planning = v.get("planning") or {}
    yield from _wall(v, planning)
    yield from _graded("lytic_share", v["lesion_share"], RED_LYTIC_SHARE, AMBER_LYTIC_SHARE)
    yield from _graded("height_loss", _height_loss(v, planning), RED_LOSS_PERCENT, AMBER_LOSS_PERCENT)
    narrowing = (planning.get("canal") or {}).get("narrowing_percent")
    yield from _graded("canal", narrowing, RED_NARROWING_PERCENT, AMBER_NARROWING_PERCENT)
    sins = planning.get("sins")
    if sins and sins["applicable"]:
        yield from _graded("sins", sins["low"], 13, 7)
    yield from _leak(v, planning)
    corridors = planning.get("corridors")
    if corridors and not any(c["feasible"] for c in corridors):
        yield Reason("red", "no_corridor")
    yield from _spread(planning.get("spread"))
    if v["cut_by_field"]:
        yield Reason("amber", "cut_by_field")
    if v["confidence"] < LEAST_CONFIDENCE:
        yield Reason("amber", "uncertain_level", v["confidence"])


def _wall(v: Mapping[str, Any], planning: Mapping[str, Any]) -> Iterator[Reason]:
    """Defects outside of the basivertebral foramen, where a gap is physiological; all where the wall was not mapped."""
    wall = planning.get("wall")
    if wall is None or wall["wall_mm2"] is None:
        yield from _graded("wall_defect", v["wall_defect_mm2"], RED_WALL_MM2, AMBER_WALL_MM2)
        return
    yield from _graded("wall_defect", wall["defect_mm2"], RED_WALL_MM2, AMBER_WALL_MM2)
    yield from _graded("foramen_defect", wall["foramen_defect_mm2"], float("inf"), AMBER_FORAMEN_MM2)


def _height_loss(v: Mapping[str, Any], planning: Mapping[str, Any]) -> float | None:
    """Against the neighbours; of the lowest against the highest of its own heights where those are not seen."""
    if v["cut_by_field"]:
        return None
    loss: float | None = (planning.get("collapse") or {}).get("loss_percent")
    if loss is None and "collapse" not in planning and v["height_ratio"] is not None:
        return 100.0 * (1.0 - float(v["height_ratio"]))
    return loss


def _leak(v: Mapping[str, Any], planning: Mapping[str, Any]) -> Iterator[Reason]:
    risk = (planning.get("leaks") or {}).get("risk")
    withheld = v["leak_abstained"] if risk is None else risk["withheld"] is not None
    if withheld:
        yield Reason("amber", "leak_withheld")
        return
    value = v["leak_probability"]["any"] if risk is None else risk["risks"]["any"]["probability"]
    yield from _graded("leak", value, RED_LEAK, AMBER_LEAK)


def _spread(spread: Mapping[str, Any] | None) -> Iterator[Reason]:
    if spread is None:
        return
    if spread["leak"].get("any"):
        yield Reason("amber", "cement_outside", spread["leaked_ml"])
    if spread["compartment_ml"].get("canal", 0.0) >= CANAL_CEMENT_ML:
        yield Reason("red", "canal_cement", spread["compartment_ml"]["canal"])


def _graded(code: str, value: float | None, red: float, amber: float) -> Iterator[Reason]:
    if value is None or value < amber:
        return
    yield Reason("red" if value >= red else "amber", code, float(value))
