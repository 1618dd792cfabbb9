"""A cohort of treated vertebrae as published series have them: who is treated, at which level, how.

Each share is a number that was read, with its source, or is named an assumption. None was fitted to a row of the
table. The spread of the volume, and in `cohort_site` the sizes of clefts and cracks, were set from their sources
after first small cohorts had shown that the first guesses were off. Vertebrae are drawn patient by patient, each
from its own stream, so that a longer cohort begins with the shorter one.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from vertseg.cement.plan import InjectionPlan
from vertseg.labels import LEVEL_NUMBERS
from vertseg.phantom.patient.morphometry import LEVEL_SIZES

Population = Literal["osteoporotic", "metastatic"]
Deformity = Literal["wedge", "biconcave", "crush"]

METASTATIC_SHARE: Final = 0.25
"""Share of patients. Assumption for precision; every statistic is computed within one population."""

EXTRA_LEVELS: Final = {"osteoporotic": 0.5, "metastatic": 1.1}
"""Treated levels beyond the first, per patient (Poisson): 277/181 (Acta Radiol 2012;53:569) and 344/236 (J Orthop
Surg Res 2021, s13018-021-02337-1); 530/230 (J Orthop Sci 2022;27:79) and 113/64 (World J Surg Oncol 2022)."""

_OSTEOPOROTIC_LEVELS: Final = {
    "T5": 1, "T6": 2, "T7": 4, "T8": 4, "T9": 3, "T10": 4, "T11": 8, "T12": 20, "L1": 23, "L2": 11, "L3": 8,
    "L4": 7, "L5": 5,
}  # fmt: skip
"""Weights. 18 L1, 16 T12, 6 L2, 3 T11 and 2 T10 of 45 thoracolumbar fractures (doi 10.21203/rs.3.rs-1042970);
the second, lower peak in the middle of the thorax and the tail below L2 are assumptions."""

_METASTATIC_LEVELS: Final = {
    "T4": 3, "T5": 4, "T6": 5, "T7": 6, "T8": 7, "T9": 7, "T10": 8, "T11": 9, "T12": 11, "L1": 11, "L2": 9,
    "L3": 9, "L4": 7, "L5": 4,
}  # fmt: skip
"""Weights. Assumption: somewhat more thoracic than lumbar, as bone mass and metastases are."""

TRABECULAR_HU: Final = {"osteoporotic": (72.8, 29.8, 20.0, 150.0), "metastatic": (120.0, 40.0, 40.0, 220.0)}
"""Mean, SD and limits. 72.78 +- 29.75 HU in 54 fractures (J Orthop Surg Res 2023, s13018-023-03941-z); patients
with metastases are about 58 years old (Radiology 2006;238:354), HU assumed from that age."""

HEIGHT_LOSS: Final = (0.43, 0.16, 0.17, 0.74)
"""Mean, SD and limits in osteoporotic fractures: remaining height 0.57 +- 0.16 in the same 54, 0.26-0.83 in 45."""

DEFORMITIES: Final[dict[Deformity, float]] = {"wedge": 0.5, "biconcave": 0.3, "crush": 0.2}
"""Shares of fracture shapes. Assumption."""

CLEFT: Final = {"mild": 0.15, "moderate": 0.24, "severe": 0.36}
"""Share with a cleft by Genant's grade: 13.8 to 42.4 % in recent series (introduction of BMC Musculoskelet Disord
2021, s12891-021-04685-9), 30 of 82 in another, most in severe fractures (Lane 2002); the gradient is assumed."""

ENDPLATE_BREAK: Final = 179 / 234
"""Share with a disrupted endplate on MR before vertebroplasty (see `sources.ENDPLATE`)."""

SUPERIOR_BREAK: Final = 0.75
"""Share of those at the upper endplate; all beside a cleft, which lies under it. Assumption."""

WALL_BREAK: Final = {"plain": 0.30, "cleft": 0.50}
"""Share with a fracture line open through the side wall. Assumption: with broken endplates it makes the 68 of 101
fractures whose cortex CT shows disrupted (Open J Radiol 2013;3:152-158, sides not told apart); clefts reach the
wall more often, since they are fractures that did not unite."""

POSTERIOR_SHARE: Final = 0.25
"""Share of those at the posterior wall. Assumption."""

LESION_KINDS: Final = {"lytic": 0.65, "mixed": 0.30, "sclerotic": 0.05}
"""Shares of metastases that are treated. Assumption: sclerotic ones seldom need it."""

LESION_SHARE: Final = (0.15, 0.85)
"""Share of the body's size that a metastasis takes along each axis, uniform. Assumption."""

LESION_AT_WALL: Final = 0.5
"""Share of metastases centred on the posterior third, where they begin. Assumption."""

LESION_BREAKS: Final = {"lytic": 0.7, "mixed": 0.4, "sclerotic": 0.1}
"""Share of lesions that have destroyed the cortex that they touch. Assumption."""

COLLAPSE: Final = 0.35
"""Share of metastases with a pathological fracture. Assumption."""

BIPEDICULAR: Final = 0.5
"""Share injected through both pedicles. Assumption."""

VOLUME_ML: Final = {"unipedicular": 3.9, "bipedicular": 3.9 + 1.55}
"""Mean at L1 with the usual collapse, so that the cohort's mean is 4.3 ml: 4.5 and 3.7 ml in the 64 leaking and 16
tight vertebrae of VERTOS II; the difference of 1.55 ml is that of 14 studies (J Orthop Surg Res 2016,
s13018-016-0479-6)."""

VOLUME_SPREAD: Final = 0.20
"""SD of the logarithm of the volume at one level, approach and collapse. Assumption; with the other two it makes an
SD of 1.4 ml over the cohort, as p = 0.04 for 0.8 ml between 64 and 16 vertebrae of VERTOS II implies."""

SIZE_POWER: Final = 0.5
"""Volume grows with this power of the body's size, from level to level and with what collapse has left. Assumption."""

LEFT_BY_COLLAPSE: Final = 0.6
"""A body loses this times its lost height at the worst place of its size (wedge and biconcave lose less than all).

Metastases are given what an osteoporotic vertebra of the usual collapse gets at that level: no volume was found."""

VISCOSITY: Final = {"low": 0.5, "medium": 0.2, "high": 0.3}
"""Shares, drawn at random as in the trials that compared them. Assumption: most series used plain cement."""

FORAMEN_MM: Final = (2.7, 0.55)
"""Mean and SD of the basivertebral foramen's radius: half of 5.4 +- 1.1 mm height in osteoporotic fractures (Chin
J Clin Anat 2023;41:283, as cited by `vertseg.cement.parameters`)."""


@dataclass(frozen=True)
class TreatedVertebra:
    """One vertebra of the cohort before its treatment, and the plan.

    Attributes:
        height_loss: share of the height lost at the worst place; 0 without collapse.
        cleft: an intravertebral cleft is there.
        endplate_break: 0 none, +1 upper, -1 lower endplate.
        wall_break: fracture line through the "front" (anterior or lateral) or "back" (posterior) wall, or "".
        lesion: kind of metastasis, or "".
        lesion_share: its size against the body's, along each axis.
        lesion_at_wall: it sits in the posterior third.
        lesion_breaks: it has destroyed the cortex that it touches.
        foramen_mm: radius of the basivertebral foramen.
        anatomy_seed: of the patient's bones.
        seed: of the pathology's place and of the injection.
    """

    case: int
    patient: int
    population: Population
    level: int
    trabecular_hu: float
    height_loss: float
    deformity: Deformity
    cleft: bool
    endplate_break: int
    wall_break: Literal["", "front", "back"]
    lesion: Literal["", "lytic", "mixed", "sclerotic"]
    lesion_share: float
    lesion_at_wall: bool
    lesion_breaks: bool
    foramen_mm: float
    plan: InjectionPlan
    anatomy_seed: int
    seed: int

    @property
    def severity(self) -> str:
        """Genant's grade by height loss: "none", "mild", "moderate" or "severe" (JBMR 1993;8:1137)."""
        edges = ((0.40, "severe"), (0.25, "moderate"), (0.01, "mild"))
        return next((name for edge, name in edges if self.height_loss >= edge), "none")


def draw_cohort(vertebrae: int, seed: int) -> tuple[TreatedVertebra, ...]:
    """The first `vertebrae` treated vertebrae of the cohort of this seed, patient by patient."""
    cohort: list[TreatedVertebra] = []
    patient = 0
    while len(cohort) < vertebrae:
        rng = np.random.default_rng([seed, 61, patient])
        population: Population = "metastatic" if rng.random() < METASTATIC_SHARE else "osteoporotic"
        bones = int(rng.integers(1 << 30))
        for level in _levels(population, rng):
            cohort.append(_treated(len(cohort), (patient, bones), population, level, rng))
        patient += 1
    return tuple(cohort[:vertebrae])


def _levels(population: Population, rng: np.random.Generator) -> list[int]:
    """Treated levels of one patient, each once."""
    table = _OSTEOPOROTIC_LEVELS if population == "osteoporotic" else _METASTATIC_LEVELS
    weights = np.array(list(table.values()), dtype=np.float64)
    count = min(1 + int(rng.poisson(EXTRA_LEVELS[population])), 6)
    drawn = rng.choice(list(table), count, replace=False, p=weights / weights.sum())
    return [LEVEL_NUMBERS[str(name)] for name in drawn]


def _pick(shares: dict[str, float], rng: np.random.Generator) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _clipped(what: tuple[float, float, float, float], rng: np.random.Generator) -> float:
    """A normal number, redrawn until it lies between its limits."""
    mean, spread, low, high = what
    while True:
        value = float(rng.normal(mean, spread))
        if low <= value <= high:
            return value


def _treated(
    case: int, patient: tuple[int, int], population: Population, level: int, rng: np.random.Generator
) -> TreatedVertebra:
    osteoporotic = population == "osteoporotic"
    hu = _clipped(TRABECULAR_HU[population], rng)
    loss = _clipped(HEIGHT_LOSS, rng)
    collapsed = osteoporotic or rng.random() < COLLAPSE
    loss = loss if collapsed else 0.0
    grade = "severe" if loss >= 0.40 else "moderate" if loss >= 0.25 else "mild"
    cleft = bool(osteoporotic and rng.random() < CLEFT[grade])
    broken = collapsed and rng.random() < ENDPLATE_BREAK
    side = 1 if rng.random() < SUPERIOR_BREAK or cleft else -1
    line = bool(osteoporotic and rng.random() < WALL_BREAK["cleft" if cleft else "plain"])
    back = rng.random() < POSTERIOR_SHARE
    lesion = "" if osteoporotic else _pick(LESION_KINDS, rng)
    return TreatedVertebra(
        case, patient[0], population, level, hu, loss, _pick(dict(DEFORMITIES), rng), cleft,  # type: ignore[arg-type]
        side if broken else 0, ("back" if back else "front") if line else "",
        lesion, float(rng.uniform(*LESION_SHARE)), bool(rng.random() < LESION_AT_WALL),  # type: ignore[arg-type]
        bool(lesion and rng.random() < LESION_BREAKS[lesion]),
        _clipped((*FORAMEN_MM, 1.2, 4.5), rng), _plan(level, loss if osteoporotic else HEIGHT_LOSS[0], rng),
        patient[1],
        int(rng.integers(1 << 30)),
    )  # fmt: skip


def _plan(level: int, loss: float, rng: np.random.Generator) -> InjectionPlan:
    """Volume by level, approach and collapse; viscosity and side at random."""
    approach = "bipedicular" if rng.random() < BIPEDICULAR else "unipedicular"
    here, usual = (
        float(np.prod([LEVEL_SIZES[n][k] for k in ("width", "depth", "height")]))
        for n in (level, LEVEL_NUMBERS["L1"])
    )
    left = (1 - LEFT_BY_COLLAPSE * loss) / (1 - LEFT_BY_COLLAPSE * HEIGHT_LOSS[0])
    mean = VOLUME_ML[approach] * (left * here / usual) ** SIZE_POWER
    volume = mean * float(np.exp(rng.normal(-0.5 * VOLUME_SPREAD**2, VOLUME_SPREAD)))
    return InjectionPlan(
        float(np.clip(volume, 0.8, 11.0)), _pick(VISCOSITY, rng), approach,  # type: ignore[arg-type]
        "right" if rng.random() < 0.5 else "left",
    )  # fmt: skip
