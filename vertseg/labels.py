"""Every number, name, colour and code of vertseg's labels. Nothing else repeats them.

Level numbers are those of VerSe (Sekuboyina et al. 2021, Medical Image Analysis 73:102166).
Codes are SNOMED CT concepts from DICOM PS3.16: C1 to L5 from CID 7603 (Vertebra), sacrum and coccyx from
CID 4 (Anatomic Region); the arch is CID 6115's, categories are CID 7150's. What has no code there (L6, T13, the
body, the findings) is coded by our own scheme.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from vertseg.errors import ConfigError

CERVICAL: Final = tuple(range(1, 8))
THORACIC: Final = tuple(range(8, 20))
LUMBAR: Final = tuple(range(20, 26))
SACRUM: Final = 26
COCCYX: Final = 27
T13: Final = 28

REGIONS: Final = ("cervical", "thoracic", "lumbar")

N_LEVELS: Final = 29
"""Size of an array indexed by level number (0 is background)."""

LEVEL_NAMES: Final[dict[int, str]] = {
    **{n: f"C{n}" for n in CERVICAL},
    **{n: f"T{n - THORACIC[0] + 1}" for n in THORACIC},
    **{n: f"L{n - LUMBAR[0] + 1}" for n in LUMBAR},
    SACRUM: "sacrum",
    COCCYX: "coccyx",
    T13: "T13",
}
LEVEL_NUMBERS: Final[dict[str, int]] = {name.upper(): n for n, name in LEVEL_NAMES.items()}

COLUMN_ORDER: Final = (*CERVICAL, *THORACIC, T13, *LUMBAR, SACRUM, COCCYX)
"""Level numbers from head to foot, with every transitional level in its place."""

VERTEBRA_LEVELS: Final = tuple(n for n in COLUMN_ORDER if n not in (SACRUM, COCCYX))


class Tissue(IntEnum):
    """Parts of one vertebra."""

    NONE = 0
    BODY = 1
    POSTERIOR = 2


class LocateClass(IntEnum):
    """Classes of the locate network's voxel head."""

    BACKGROUND = 0
    BODY = 1
    POSTERIOR = 2
    SACRUM = 3
    OTHER_BONE = 4


FINDINGS: Final = ("lytic_lesion", "sclerotic_lesion", "posterior_wall_defect", "cement")
"""Overlapping masks of one vertebra, in the channel order of the examine network."""

Finding = Literal["lytic_lesion", "sclerotic_lesion", "posterior_wall_defect", "cement"]

LEAK_ROUTES: Final = ("B", "S", "C", "D")
"""Leak routes, in the order of the leak head: Yeom's types B, S and C, and disc (D).

Yeom et al. 2003, J Bone Joint Surg Br 85-B:83-9.
"""

LEAK_OUTCOMES: Final = (*LEAK_ROUTES, "any")
"""What a leak risk is given for: each route, and a leak by any of them."""
LEAK_ROUTE_NAMES: Final[dict[str, str]] = {
    "B": "basivertebral vein into the canal",
    "S": "segmental vein",
    "C": "cortical defect",
    "D": "disc",
}

Viscosity = Literal["low", "medium", "high"]
Approach = Literal["unipedicular", "bipedicular"]
VISCOSITIES: Final[tuple[Viscosity, ...]] = ("low", "medium", "high")
APPROACHES: Final[tuple[Approach, ...]] = ("unipedicular", "bipedicular")


@dataclass(frozen=True)
class Code:
    """A coded concept: scheme designator, value and meaning, as DICOM writes it."""

    scheme: str
    value: str
    meaning: str


PRIVATE_SCHEME: Final = "99VERTSEG"
"""Coding scheme of what no standard scheme has a code for."""

ANATOMY: Final = Code("SCT", "123037004", "Anatomical Structure")
ABNORMALITY: Final = Code("SCT", "49755003", "Morphologically Abnormal Structure")
OBJECT: Final = Code("SCT", "260787004", "Physical object")
VERTEBRA: Final = Code("SCT", "51282000", "Vertebra")

TISSUE_CODES: Final[dict[Tissue, Code]] = {
    Tissue.BODY: Code(PRIVATE_SCHEME, "BODY", "Body of vertebra"),
    Tissue.POSTERIOR: Code("SCT", "40265002", "Arch of vertebra"),
}
FINDING_CODES: Final[dict[str, tuple[Code, Code]]] = {
    "lytic_lesion": (ABNORMALITY, Code(PRIVATE_SCHEME, "LYTIC", "Lytic lesion of bone")),
    "sclerotic_lesion": (ABNORMALITY, Code(PRIVATE_SCHEME, "SCLEROTIC", "Sclerotic lesion of bone")),
    "posterior_wall_defect": (
        ABNORMALITY,
        Code(PRIVATE_SCHEME, "WALL_DEFECT", "Defect of posterior vertebral wall"),
    ),
    "cement": (OBJECT, Code(PRIVATE_SCHEME, "CEMENT", "Bone cement")),
}
"""Category and type of each finding."""

_SNOMED_LEVELS: Final[dict[str, str]] = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003",
    "C6": "36054005", "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008",
    "T4": "73071006", "T5": "56401006", "T6": "45296009", "T7": "62487009", "T8": "11068009",
    "T9": "82687006", "T10": "7610001", "T11": "12989004", "T12": "23215003", "L1": "66794005",
    "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003", "sacrum": "54735007",
    "coccyx": "64688005",
}  # fmt: skip


def level_name(number: int) -> str:
    """Name ("L1") of a VerSe level number."""
    return LEVEL_NAMES[number]


def level_number(name: str) -> int:
    """VerSe number of a level name, in any case ("l1", "T12", "sacrum").

    Raises:
        ConfigError: the name is not a level.
    """
    try:
        return LEVEL_NUMBERS[name.strip().upper()]
    except KeyError:
        known = ", ".join(LEVEL_NAMES[n] for n in COLUMN_ORDER)
        raise ConfigError(f"'{name}' is not a vertebral level; known levels are {known}.") from None


def level_code(number: int) -> Code:
    """Code of a level: SNOMED CT where the concept exists, else vertseg's own scheme."""
    name = LEVEL_NAMES[number]
    if name in _SNOMED_LEVELS:
        meaning = name if number in (SACRUM, COCCYX) else f"{name} vertebra"
        return Code("SCT", _SNOMED_LEVELS[name], meaning)
    return Code(PRIVATE_SCHEME, name, f"{name} vertebra")


def region_of(number: int) -> str:
    """One of `REGIONS`; T13 is thoracic, L6 lumbar."""
    return "cervical" if number in CERVICAL else "lumbar" if number in LUMBAR else "thoracic"


def column_position(number: int) -> int:
    """Rank of a level from head (0) to foot."""
    return COLUMN_ORDER.index(number)


def level_colour(number: int) -> tuple[int, int, int]:
    """RGB (0-255) of a level; neighbours differ clearly."""
    palette = (
        (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48),
        (145, 30, 180), (70, 240, 240), (240, 50, 230),
    )  # fmt: skip
    return palette[column_position(number) % len(palette)]


TISSUE_COLOURS: Final[dict[Tissue, tuple[int, int, int]]] = {
    Tissue.BODY: (240, 214, 160),
    Tissue.POSTERIOR: (150, 190, 230),
}
FINDING_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "lytic_lesion": (220, 20, 60),
    "sclerotic_lesion": (255, 255, 255),
    "posterior_wall_defect": (255, 140, 0),
    "cement": (0, 200, 255),
}

TOTALSEGMENTATOR_LEVELS: Final[dict[int, int]] = {
    25: SACRUM,
    26: SACRUM,
    **{27 + i: LUMBAR[4] - i for i in range(5)},
    **{32 + i: THORACIC[11] - i for i in range(12)},
    **{44 + i: CERVICAL[6] - i for i in range(7)},
}
"""TotalSegmentator v2 class number -> level number (its `map_to_binary.py`, task "total")."""
