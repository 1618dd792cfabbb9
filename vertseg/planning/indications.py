"""What is known of leaks by indication. The user states the indication; it is never guessed from the image."""

from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from vertseg.errors import ConfigError

Indication = Literal["osteoporotic", "metastasis", "myeloma", "angioma", "osteoid_osteoma"]
INDICATIONS: Final[tuple[str, ...]] = get_args(Indication)


@dataclass(frozen=True)
class KnownEffect:
    """A published finding on leaks under one indication.

    Attributes:
        key: names the sentence in the report's texts.
        sentence: in English.
        source: paper.
    """

    key: str
    sentence: str
    source: str


@dataclass(frozen=True)
class IndicationNote:
    """An indication that the user stated, and what is published of its leaks; the risks are not changed by it.

    Attributes:
        indication: as stated.
        effects: published findings, each with its source.
    """

    indication: Indication
    effects: tuple[KnownEffect, ...]


def indication_note(indication: str) -> IndicationNote:
    """What is known of a stated indication.

    Raises:
        ConfigError: it is not one of `INDICATIONS`.
    """
    if indication not in INDICATIONS:
        raise ConfigError(f"'{indication}' is no indication; it is one of {', '.join(INDICATIONS)}.")
    known = cast(Indication, indication)
    return IndicationNote(known, _EFFECTS[known])


_CORCOS: Final = "Corcos et al., Spine 2014;39(5), doi 10.1097/BRS.0000000000000134; 81 vertebrae"
_ZHAN: Final = "World J Surg Oncol 2022;20, doi 10.1186/s12957-022-02583-5; 113 vertebrae"
_SAAD: Final = "Saad et al., Indian J Radiol Imaging 2022;32:46-50; 211 vertebroplasties"

_EFFECTS: Final[dict[Indication, tuple[KnownEffect, ...]]] = {
    "osteoporotic": (
        KnownEffect(
            "osteoporotic_types",
            "In osteoporotic fractures 28.5 % of vertebrae leaked through the basivertebral vein (B), 24.4 % through the "
            "cortex (C) and 34.3 % through segmental veins (S); cortical disruption went with C, the basivertebral "
            "foramen with B and S, a cleft and the fracture's severity with S.",
            "J Orthop Surg Res 2021;16, doi 10.1186/s13018-021-02337-1; 344 vertebrae",
        ),
        KnownEffect(
            "osteoporotic_against_tumour",
            "Disc leaks were about as frequent as in neoplasms, lateral and posterior leaks less frequent.",
            _SAAD,
        ),
    ),
    "metastasis": (
        KnownEffect(
            "metastasis_rates",
            "In metastases 53 % of vertebrae leaked, 25 % into vessels and 32 % through the cortex; vessels leaked less "
            "in osteolytic or collapsed vertebrae, the cortex more in collapsed ones.",
            _CORCOS,
        ),
        KnownEffect(
            "metastasis_wall",
            "A defect of the posterior wall and the injected volume went independently with leaks into the spinal canal, "
            "which 16 % of vertebrae had.",
            _ZHAN,
        ),
    ),
    "myeloma": (
        KnownEffect(
            "myeloma_rate",
            "In multiple myeloma 41 % of vertebrae leaked, with a median of 6 ml of cement.",
            "Nas et al., Diagn Interv Radiol 2016;22:263-8, doi 10.5152/dir.2016.15201; 166 vertebrae",
        ),
        KnownEffect(
            "myeloma_viscosity",
            "In another series 27.7 % of vertebroplasties leaked; its authors advise cement of high viscosity and not over "
            "2 ml, and saw fewer leaks after bone marrow transplantation.",
            "La Maida et al., Eur Spine J 2012;21(Suppl 1):S61-8, doi 10.1007/s00586-012-2221-3; 37 vertebrae",
        ),
    ),
    "angioma": (
        KnownEffect(
            "angioma_vessels",
            "In aggressive or symptomatic haemangiomas vascular or disc leaks were seen in 4 of 24 patients, none with "
            "radicular symptoms.",
            "Neuroradiology 2009, doi 10.1007/s00234-009-0520-0; 36 vertebrae",
        ),
        KnownEffect(
            "angioma_symptoms",
            "No leak gave symptoms in 50 patients with a mean of 6.8 ml of cement.",
            "Nambiar et al., Pain Physician 2020;23:E637-42; 50 patients",
        ),
    ),
    "osteoid_osteoma": (
        KnownEffect(
            "osteoid_osteoma_ablation",
            "Spinal osteoid osteomas are treated by thermal ablation; no series of cement leaks was found, and most lie in "
            "the posterior elements, which the leak risk here does not regard.",
            "Rybak et al., AJR 2010;195:W293-8, doi 10.2214/AJR.10.4192; 17 patients, 14 lesions in posterior elements",
        ),
    ),
}
"""As read in the abstracts; no rate is of this scan's vertebra, and none changes its risk."""
