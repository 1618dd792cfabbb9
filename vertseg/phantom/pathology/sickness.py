"""What one vertebra suffers from: each kind of disease and its mimics, and a vertebra redrawn with more of them.

Rates without a source are assumptions about those who come for a vertebroplasty's planning CT.
"""

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from vertseg.labels import LUMBAR, THORACIC
from vertseg.phantom.pathology.cementation import draw_cement, with_screws
from vertseg.phantom.pathology.fractures import (
    burst_fracture,
    draw_schmorl,
    draw_wall_hole,
    osteoporotic_fracture,
)
from vertseg.phantom.pathology.tumours import (
    draw_fat_voids,
    draw_hemangioma,
    draw_metastasis,
    draw_myeloma,
    draw_osteoid_osteoma,
)
from vertseg.phantom.types import Anatomy, VertebraShape
from vertseg.phantom.vertebra.joints import match_facets

Sickness = Literal[
    "lytic", "sclerotic", "mixed", "myeloma", "osteoporotic", "burst", "wall_hole", "treated", "mimic"
]

THIN_MARROW_HU: Final = 110.0
"""Marrow below this is osteoporotic (L1 at or below 110 HU: Pickhardt et al., Ann Intern Med 2013;158:588-95)."""

HEMANGIOMA_RATE: Final = 0.012
"""Of a vertebra; about one patient in ten has one (autopsies; e.g. Pastushyn et al., Surg Neurol 1998;50:535-47)."""

SCHMORL_RATE: Final = 0.07
OSTEOID_OSTEOMA_RATE: Final = 0.003
FAT_VOID_RATE: Final = 0.25
"""Of a vertebra with thin marrow. These three are assumed."""

SCREW_SHARE: Final = 0.25
"""Of treated patients, screws with rods. Assumed."""

SICK_SHARE: Final = 0.345
"""How often `diseased` gives a vertebra something at rate 1."""

CROP_MIX: Final[dict[Sickness, float]] = {
    "lytic": 0.41, "sclerotic": 0.07, "mixed": 0.11, "myeloma": 0.04, "osteoporotic": 0.065, "burst": 0.10,
    "wall_hole": 0.07, "treated": 0.105, "mimic": 0.03,
}  # fmt: skip
"""What a sick vertebra that is looked at by itself has. Set so that each finding shows often enough to be learned
(see `tests/phantom/pathology/test_mix.py`), not by any incidence."""


def with_sickness(
    shape: VertebraShape, sickness: Sickness, hu: dict[str, float], rng: np.random.Generator
) -> VertebraShape:
    """The vertebra with one kind of pathology."""
    if sickness in ("lytic", "mixed", "sclerotic"):
        return _with_metastases(shape, sickness, hu, rng)
    if sickness == "myeloma":
        shape = replace(shape, lesions=(*shape.lesions, *draw_myeloma(shape, hu, rng)))
        return osteoporotic_fracture(shape, rng) if rng.random() < 0.2 else shape
    if sickness == "osteoporotic":
        return osteoporotic_fracture(shape, rng)
    if sickness == "burst":
        return burst_fracture(shape, rng)
    if sickness == "wall_hole":
        return replace(shape, wall_hole=draw_wall_hole(shape, rng))
    if sickness == "treated":
        before: Sickness = "osteoporotic" if rng.random() < 0.65 else "lytic"
        shape = with_sickness(shape, before, hu, rng)
        if shape.fracture is not None:
            # What was hollow is filled now.
            shape = replace(shape, fracture=replace(shape.fracture, cleft=None))
        return replace(shape, cement=draw_cement(shape, rng))
    return with_mimics(shape, hu, rng, often=6.0)


def _with_metastases(
    shape: VertebraShape, sickness: Sickness, hu: dict[str, float], rng: np.random.Generator
) -> VertebraShape:
    if sickness == "lytic":
        if rng.random() < 0.22:
            # A pathologic fracture: the bone gave way where the tumour had eaten it.
            shape = osteoporotic_fracture(shape, rng)
        count = 1 + int(rng.random() < 0.3) + int(rng.random() < 0.1)
        new = [draw_metastasis("lytic_lesion", shape, hu, rng) for _ in range(count)]
    elif sickness == "mixed":
        new = [draw_metastasis("mixed_lesion", shape, hu, rng)]
    else:
        new = [draw_metastasis("sclerotic_lesion", shape, hu, rng) for _ in range(int(rng.integers(1, 4)))]
    return replace(shape, lesions=(*shape.lesions, *new))


def with_mimics(
    shape: VertebraShape, hu: dict[str, float], rng: np.random.Generator, often: float = 1.0
) -> VertebraShape:
    """The vertebra with what healthy and aged spines have and must not be taken for a metastasis."""
    lesions = list(shape.lesions)
    if rng.random() < HEMANGIOMA_RATE * often:
        lesions.append(draw_hemangioma(shape, rng))
    elif rng.random() < OSTEOID_OSTEOMA_RATE * often:
        lesions.append(draw_osteoid_osteoma(shape, rng))
    elif hu["trabecular"] < THIN_MARROW_HU and rng.random() < FAT_VOID_RATE * often:
        lesions.extend(draw_fat_voids(shape, rng))
    if rng.random() < SCHMORL_RATE * often:
        shape = replace(shape, schmorl=draw_schmorl(shape, hu, rng))
    return replace(shape, lesions=tuple(lesions))


def diseased(
    shape: VertebraShape, hu: dict[str, float], rate: float, rng: np.random.Generator
) -> VertebraShape:
    """A healthy vertebra given something of `CROP_MIX`; `rate` scales how often, otherwise it may get a mimic."""
    if rng.random() < min(1.0, SICK_SHARE * rate):
        names = list(CROP_MIX)
        shape = with_sickness(shape, names[int(rng.choice(len(names), p=list(CROP_MIX.values())))], hu, rng)
        return with_mimics(shape, hu, rng) if not shape.lesions and shape.fracture is None else shape
    return with_mimics(shape, hu, rng, often=4.0)


def healed(shape: VertebraShape) -> VertebraShape:
    """The vertebra without the pathology that does not change its shape."""
    return replace(shape, lesions=(), wall_hole=None, schmorl=(), cement=None, screws=None)


def redrawn(anatomy: Anatomy, level: int, rate: float, rng: np.random.Generator) -> Anatomy:
    """The patient with the vertebra of `level` redrawn by `diseased`; those above sink onto it if it collapses.

    A vertebra that is broken, treated or of the neck stays as it is.
    """
    column = list(anatomy.vertebrae)
    at = next(i for i, s in enumerate(column) if s.level == level)
    old = column[at]
    if old.height_loss > 0 or old.cement is not None or level not in (*THORACIC, *LUMBAR):
        return anatomy
    new = replace(diseased(healed(old), anatomy.hu, rate, rng), screws=old.screws)
    lost = new.sizes.get("lost_mm", 0.0) * old.axes[:, 2]
    column[at] = replace(new, centre_mm=new.centre_mm - 0.5 * lost)
    above = [replace(s, centre_mm=s.centre_mm - lost) for s in column[:at]]
    fixed = (*above, *column[at:])
    if new.height_loss > 0:
        fixed = match_facets(fixed, anatomy.sacrum_axes)
    if new.cement is not None and rng.random() < 0.5 * SCREW_SHARE:
        fixed = with_screws(fixed, fixed_levels(fixed, at), rng)
    return replace(anatomy, vertebrae=fixed)


def fixed_levels(column: tuple[VertebraShape, ...], at: int) -> tuple[int, ...]:
    """The treated levels above and below a vertebra, within the thoracic and lumbar spine."""
    near = [column[i].level for i in (at - 1, at + 1) if 0 <= i < len(column)]
    return tuple(n for n in near if n in THORACIC or n in LUMBAR)
