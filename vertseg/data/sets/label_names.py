"""What the names of other sets' labels mean in vertseg's numbers: the one table for all of them.

"vertebrae_L1" (TotalSegmentator), "T12 vertebra" (Spine-Mets-CT-SEG), "First lumbar vertebra" (SNOMED CT), "Th12",
"lumbar 1", "L1 body", "left hip" (CTPelvic1K), "osteolytic lesion" and the like. What is not surely known stays
unknown: a "lesion" may be of either kind, a "vertebra" without a number has no level.
"""

import re
from dataclasses import dataclass
from typing import Final

from vertseg.errors import ConfigError
from vertseg.labels import COCCYX, FINDINGS, LEVEL_NUMBERS, SACRUM, Finding, LocateClass
from vertseg.phantom.painting.label_maps import TOTALSEGMENTATOR_NAMES


@dataclass(frozen=True)
class Meaning:
    """What a label stands for; nothing of vertseg's where all is empty.

    Attributes:
        level: VerSe number, sacrum and coccyx included.
        tissue: BODY or POSTERIOR of a vertebra, or OTHER_BONE.
        finding: name of `labels.FINDINGS`.
        piece: of which larger whole this is only a piece ("S1" of the sacrum, "rib" of other bone); empty for
            the whole.
    """

    level: int | None = None
    tissue: LocateClass | None = None
    finding: Finding | None = None
    piece: str = ""


NOTHING: Final = Meaning()
"""Of a label that is known to be none of vertseg's, such as an organ."""

WORDS_FOR_MEANINGS: Final = (
    "a level ('L1'), a level's part ('L1 body', 'L1 posterior'), 'sacrum', 'other bone', a finding ("
    + ", ".join(f"'{name}'" for name in FINDINGS)
    + ") or 'ignore' for what is none of these"
)

_REGIONS: Final = {
    "c": "C", "cervical": "C", "t": "T", "th": "T", "d": "T", "thoracic": "T", "dorsal": "T", "l": "L",
    "lumbar": "L", "s": "S", "sacral": "S",
}  # fmt: skip
_ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
}  # fmt: skip
_REGION: Final = "|".join(sorted(_REGIONS, key=len, reverse=True))
_LEVEL_PATTERNS: Final = (
    re.compile(rf"\b(?P<region>{_REGION}) ?0?(?P<number>\d\d?)\b"),
    re.compile(r"\b(?P<region>cervical|thoracic|dorsal|lumbar|sacral) vertebrae? 0?(?P<number>\d\d?)\b"),
    re.compile(
        rf"\b(?P<number>\d\d?(?=st|nd|rd|th)|{'|'.join(_ORDINALS)})(?:st|nd|rd|th)? "
        r"(?P<region>cervical|thoracic|dorsal|lumbar|sacral)\b"
    ),
)
_WHOLE_LEVELS: Final = {
    "sacrum": SACRUM, "os sacrum": SACRUM, "sacral bone": SACRUM, "s": SACRUM, "coccyx": COCCYX,
    "cocygis": COCCYX, "os coccygis": COCCYX, "atlas": LEVEL_NUMBERS["C1"], "axis": LEVEL_NUMBERS["C2"],
}  # fmt: skip
_BODY: Final = {"body", "bodies", "corpus"}
_POSTERIOR: Final = {
    "posterior", "element", "elements", "arch", "arcus", "neural", "lamina", "laminae", "pedicle", "pedicles",
    "spinous", "transverse", "articular", "process", "processes", "facet", "facets", "superior", "inferior",
}  # fmt: skip
_SAYING_NOTHING: Final = {"vertebra", "vertebrae", "vertebral", "bone", "of", "the", "level"}
_BONES: Final = {
    "rib": "rib", "ribs": "rib", "hip": "hip", "hips": "hip", "pelvis": "hip", "innominate": "hip", "femur": "femur",
    "femurs": "femur", "femora": "femur", "sternum": "sternum", "scapula": "scapula", "scapulae": "scapula",
    "humerus": "humerus", "humeri": "humerus", "clavicle": "clavicle", "clavicula": "clavicle",
    "clavicles": "clavicle", "skull": "skull", "cranium": "skull",
}  # fmt: skip
_BESIDE_BONES: Final = {"left", "right", "bone", "bones", "l", "r"}
_FINDING_WORDS: Final[dict[str, Finding]] = {
    "lytic": "lytic_lesion", "osteolytic": "lytic_lesion", "osteolysis": "lytic_lesion",
    "sclerotic": "sclerotic_lesion", "blastic": "sclerotic_lesion", "osteoblastic": "sclerotic_lesion",
    "cement": "cement", "pmma": "cement",
}  # fmt: skip
_BESIDE_FINDINGS: Final = {
    "lesion", "lesions", "metastasis", "metastases", "mets", "tumor", "tumour", "bone", "vertebral", "spinal",
}  # fmt: skip
_NOTHINGS: Final = {
    "ignore", "background", "disc", "disk", "discs", "disks", "intervertebral disc", "intervertebral disk",
    "intervertebral discs", "spinal canal", "spinal cord", "canal", "cord", "body outline",
} | {
    name.replace("_", " ")
    for name in TOTALSEGMENTATOR_NAMES.values()
    if not name.startswith(("vertebrae", "sacrum", "rib", "hip", "femur", "sternum", "scapula", "humerus", "clav", "skull"))
}  # fmt: skip


def meaning_of(name: str) -> Meaning | None:
    """Meaning of a label's name, in any case and with any separators; None where it is not surely known."""
    text = " ".join(re.sub(r"[^a-z0-9]+", " ", name.casefold()).split())
    if text in _NOTHINGS:
        return NOTHING
    if text in _WHOLE_LEVELS:
        return Meaning(level=_WHOLE_LEVELS[text])
    return _level(text) or _part(text.split()) or _other_bone(text) or _finding(text)


def known_meaning(name: str, place: str) -> Meaning:
    """Meaning that a person wrote into a mapping.

    Args:
        name: what they wrote.
        place: where, for the sentence.

    Raises:
        ConfigError: it is not known.
    """
    meaning = meaning_of(name)
    if meaning is None:
        raise ConfigError(f"{place}: '{name}' is not known; give {WORDS_FOR_MEANINGS}.")
    return meaning


def _level(text: str) -> Meaning | None:
    """A vertebra, perhaps with its part; None with two levels ("L5/S1") or words that are not expected."""
    for pattern in _LEVEL_PATTERNS:
        found = pattern.search(text)
        if found is None:
            continue
        part = _part_words((text[: found.start()] + " " + text[found.end() :]).split())
        if part is None:
            return None
        written = found["number"]
        number = _ORDINALS.get(written) or int(written)
        region = _REGIONS[found["region"]]
        if region == "S":
            return Meaning(level=SACRUM, piece=f"S{number}") if 1 <= number <= 5 else None
        level = LEVEL_NUMBERS.get(f"{region}{number}")
        return None if level is None else Meaning(level=level, tissue=part or None)
    return None


def _part_words(words: list[str]) -> LocateClass | None:
    """The part that words beside a level name: BACKGROUND for none, None where a word is not expected."""
    telling = set(words) - _SAYING_NOTHING
    if not telling:
        return LocateClass.BACKGROUND
    if telling <= _BODY:
        return LocateClass.BODY
    return LocateClass.POSTERIOR if telling <= _POSTERIOR | {"left", "right"} else None


def _part(words: list[str]) -> Meaning | None:
    """A part of vertebrae whose level another label gives ("vertebral body")."""
    part = _part_words(words)
    return Meaning(tissue=part) if part else None


def _other_bone(text: str) -> Meaning | None:
    if text in ("other bone", "other bones"):
        return Meaning(tissue=LocateClass.OTHER_BONE)
    telling = {word for word in text.split() if not word.isdigit()} - _BESIDE_BONES
    if len(telling) != 1 or (bone := _BONES.get(telling.pop())) is None:
        return None
    return Meaning(tissue=LocateClass.OTHER_BONE, piece=bone)


def _finding(text: str) -> Meaning | None:
    if text == "posterior wall defect":
        return Meaning(finding="posterior_wall_defect")
    telling = set(text.split()) - _BESIDE_FINDINGS
    if len(telling) != 1 or (finding := _FINDING_WORDS.get(telling.pop())) is None:
        return None
    return Meaning(finding=finding)
