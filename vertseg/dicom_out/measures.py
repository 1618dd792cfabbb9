"""Measures of a vertebra as coded numbers with UCUM units.

Volumes are given in cm3 (the same number as ml), the unit of CID 7462.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom.sr.codedict import codes

from vertseg.labels import LEAK_ROUTE_NAMES, PRIVATE_SCHEME, Code

_CM3: Final = Code("UCUM", "cm3", "cubic centimeter")
_ONE: Final = Code("UCUM", "1", "no units")
_UNITS: Final[dict[str, Code]] = {
    "mg_per_ml": Code("UCUM", "mg/cm3", "milligram per cubic centimeter"),
    "mg_cm3": Code("UCUM", "mg/cm3", "milligram per cubic centimeter"),
    "ml": _CM3,
    "mm3": Code("UCUM", "mm3", "cubic millimeter"),
    "mm2": Code("UCUM", "mm2", "square millimeter"),
    "mm": Code("UCUM", "mm", "millimeter"),
    "deg": Code("UCUM", "deg", "degree"),
    "hu": Code("UCUM", "[hnsf'U]", "Hounsfield unit"),
    **dict.fromkeys(
        ("share", "ratio", "probability", "loss", "risk", "score", "grade", "count", "index"), _ONE
    ),
}
"""By the ending of a measure's name, the longest first."""

_NAMES: Final[dict[str, Code]] = {
    "volume_ml": Code("SCT", "118565006", "Volume"),
    "body_ml": Code(PRIVATE_SCHEME, "BODY_VOLUME", "Volume of vertebral body"),
    "posterior_ml": Code(PRIVATE_SCHEME, "POSTERIOR_VOLUME", "Volume of posterior elements"),
    "lytic_ml": Code(PRIVATE_SCHEME, "LYTIC_VOLUME", "Volume of lytic lesion"),
    "sclerotic_ml": Code(PRIVATE_SCHEME, "SCLEROTIC_VOLUME", "Volume of sclerotic lesion"),
    "cement_ml": Code(PRIVATE_SCHEME, "CEMENT_VOLUME", "Volume of cement"),
    "lesion_share": Code(PRIVATE_SCHEME, "LESION_SHARE", "Lytic share of vertebral body"),
    "wall_defect_mm2": Code(PRIVATE_SCHEME, "WALL_DEFECT_AREA", "Area of posterior wall defect"),
    "height_anterior_mm": Code(PRIVATE_SCHEME, "HEIGHT_ANTERIOR", "Anterior height of vertebral body"),
    "height_middle_mm": Code(PRIVATE_SCHEME, "HEIGHT_MIDDLE", "Middle height of vertebral body"),
    "height_posterior_mm": Code(PRIVATE_SCHEME, "HEIGHT_POSTERIOR", "Posterior height of vertebral body"),
    "height_ratio": Code(PRIVATE_SCHEME, "HEIGHT_RATIO", "Lowest over highest height of vertebral body"),
}


@dataclass(frozen=True)
class CodedNumber:
    """A measure: what it is, its value, and the unit."""

    name: Code
    value: float
    unit: Code


@dataclass(frozen=True)
class CodedAnswer:
    """Something that is so or is not."""

    name: Code
    value: bool


def leak_concept(route: str) -> Code:
    """What a leak probability is of; "any" is a leak by whichever route."""
    return Code(
        PRIVATE_SCHEME,
        f"LEAK_{route.upper()}",
        f"Cement leak probability: {LEAK_ROUTE_NAMES.get(route, 'any')}",
    )


LEVEL_CONFIDENCE: Final = Code(PRIVATE_SCHEME, "LEVEL_CONFIDENCE", "Confidence in the vertebral level")
LEAK_CONFIDENCE: Final = Code(PRIVATE_SCHEME, "LEAK_CONFIDENCE", "Confidence in the cement leak probability")
LEAK_ABSTAINED: Final = Code(PRIVATE_SCHEME, "LEAK_ABSTAINED", "Abstained from cement leak probabilities")
CUT_BY_FIELD: Final = Code(PRIVATE_SCHEME, "CUT_BY_FIELD", "Vertebra cut by the field of view")
INFERRED: Final = Code(PRIVATE_SCHEME, "INFERRED", "Vertebra inferred from a gap in the column")


def vertebra_values(vertebra: Mapping[str, Any]) -> Iterator[CodedNumber | CodedAnswer]:
    """What a structured report says of one vertebra: only what is known.

    Where the leak head abstains its probabilities should not be used, so they are left out and the abstention is said.

    Args:
        vertebra: as `vertseg.report.summary.report` describes it.
    """
    yield CodedNumber(LEVEL_CONFIDENCE, float(vertebra["confidence"]), _ONE)
    yield CodedAnswer(CUT_BY_FIELD, bool(vertebra["cut_by_field"]))
    yield CodedAnswer(INFERRED, bool(vertebra["inferred"]))
    yield from coded_values({name: vertebra[name] for name in _NAMES})
    yield CodedAnswer(LEAK_ABSTAINED, bool(vertebra["leak_abstained"]))
    if not vertebra["leak_abstained"]:
        for route, probability in vertebra["leak_probability"].items():
            yield CodedNumber(leak_concept(route), float(probability), _ONE)
        yield CodedNumber(LEAK_CONFIDENCE, float(vertebra["leak_confidence"]), _ONE)


def coded_values(values: Mapping[str, Any], prefix: str = "") -> Iterator[CodedNumber | CodedAnswer]:
    """Numbers and truths of plain values, such as a planning module's; nested ones under their joined names.

    What is None, text or a list, and numbers whose name ends in no known unit, are left out.

    Args:
        values: names with their units ("kyphosis_deg") and values.
        prefix: put before every name.
    """
    for key, value in values.items():
        name = f"{prefix}_{key}" if prefix else key
        if isinstance(value, Mapping):
            yield from coded_values(value, name)
        elif isinstance(value, bool):
            yield CodedAnswer(_private(name, ""), value)
        elif isinstance(value, int | float):
            ending = next((e for e in _UNITS if name.endswith(f"_{e}") or name == e), None)
            if ending is not None:
                yield CodedNumber(_NAMES.get(name) or _private(name, ending), float(value), _UNITS[ending])


def yes_or_no(value: bool) -> Any:
    """SNOMED CT's yes or no (CID 230)."""
    return codes.SCT.Yes if value else codes.SCT.No


def _private(name: str, ending: str) -> Code:
    is_unit = ending and _UNITS[ending] is not _ONE
    words = name.removesuffix(f"_{ending}") if is_unit else name
    return Code(PRIVATE_SCHEME, name.upper(), words.replace("_", " ").capitalize()[:64])
