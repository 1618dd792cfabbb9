"""Published leak statistics, as frozen records with their intervals and where they were read.

Ten of them are the main rows (`row` 1 to 10); the others deepen the comparison. Where a
figure is often quoted otherwise:

- PMC5895344 is the source of the high-viscosity risk ratio only; odds ratios, the volume difference and the
  54.7 % come from another meta-analysis (PMID 28192270).
- Canal leaks of 7-16 % are those of the metastatic series (7.0 of 530, 15.9 of 113). Osteoporotic series on CT
  find basivertebral leaks, which enter the canal, in 21-37 % (rows beyond ten).
- VERTOS II's 34 % disc leaks are of the 64 leaking vertebrae (22/80 = 27.5 % of all), its 88 % venous likewise
  (56/80 = 70 %).
- How leaks are looked for decides their rate: thresholded, volumetric CT found them in 87.9 % of osteoporotic and
  metastatic vertebrae together (Mousavi et al., J Neurosurg 2003;99(1 Suppl):56-9, abstract).
- Both metastatic series give p values for the posterior wall and no odds ratio in what could be read, so row 7
  asks for a direction: an interval above 1.
"""

from dataclasses import dataclass
from typing import Final, Literal

from vertseg.cement.validation.sources import (
    CIANFONI,
    CLEFT,
    CORCOS,
    EMBOLISM,
    ENDPLATE,
    FORAMEN_167,
    HIGH_VISCOSITY,
    HIGH_VISCOSITY_2022,
    IKEDA,
    KRAUSS,
    MAYO,
    METASTASES_113,
    METASTASES_530,
    PARAVERTEBRAL_VEIN,
    POOLED_RISKS,
    SERIES_3175,
    TYPES_344,
    UNILATERAL,
    VERTOS,
    YEOM,
    Source,
)
from vertseg.cement.validation.statistics import Estimate, rate, risk_ratio

Measure = Literal["rate", "odds ratio", "risk ratio", "difference (ml)"]
Population = Literal["osteoporotic", "metastatic", "mixed"]

REPORTED: Final = "95 % interval, as reported"
WILSON: Final = "95 % interval by Wilson from the counts"
KATZ: Final = "95 % interval by Katz from the counts"
SERIES: Final = "range of the series"
INFINITE: Final = float("inf")


@dataclass(frozen=True)
class Published:
    """One published statistic.

    Attributes:
        key: names the estimator of `estimators.ESTIMATORS` that computes the same from a simulated cohort.
        statistic: what it is, in words.
        value: None where only a direction or a range was published.
        low: lower end of `interval`.
        high: upper end.
        interval: what the interval is.
        vertebrae: on which it stands, None if not told.
        verified: how the number was looked up.
        row: 1 to 10 among the main rows, else 0.
        note: what a reader must know to compare.
    """

    key: str
    statistic: str
    measure: Measure
    value: float | None
    low: float
    high: float
    interval: str
    population: Population
    vertebrae: int | None
    sources: tuple[Source, ...]
    verified: str
    row: int = 0
    note: str = ""


def _told(
    key: str, statistic: str, what: tuple[Measure, Population], numbers: tuple[float, float, float],
    source: tuple[Source, int | None], row: int = 0, note: str = "",
) -> Published:  # fmt: skip
    """A value and interval as the source reports them."""
    value, low, high = numbers
    return Published(
        key, statistic, what[0], value, low, high, REPORTED, what[1], source[1], (source[0],), source[0].read, row, note
    )  # fmt: skip


def _counted(
    key: str, statistic: str, population: Population, counts: tuple[int, int], source: Source, note: str = ""
) -> Published:
    """A rate whose interval follows from its counts (events, vertebrae)."""
    found: Estimate = rate(*counts)
    return Published(
        key, statistic, "rate", found.value, found.low, found.high, WILSON, population, counts[1], (source,),
        source.read, 0, note,
    )  # fmt: skip


def _compared(
    key: str, statistic: str, groups: tuple[tuple[int, int], tuple[int, int]], source: Source, row: int = 0
) -> Published:
    """A risk ratio of two groups, each (events, vertebrae), of an osteoporotic series."""
    found = risk_ratio(*groups)
    rates = " against ".join(f"{100 * a / n:.1f} %" for a, n in groups)
    return Published(
        key, f"{statistic} ({rates})", "risk ratio", found.value, found.low, found.high, KATZ, "osteoporotic",
        groups[0][1] + groups[1][1], (source,), f"{source.read}; counts from its percentages", row,
    )  # fmt: skip


def _range(
    key: str, statistic: str, numbers: tuple[float | None, float, float], source: tuple[tuple[Source, ...], int],
    population: Population, row: int, note: str,
) -> Published:  # fmt: skip
    """A rate of which several series give a range."""
    value, low, high = numbers
    read = "; ".join(s.read for s in source[0])
    return Published(
        key, statistic, "rate", value, low, high, SERIES, population, source[1], source[0], read, row, note
    )  # fmt: skip


MAIN_ROWS: Final = (
    _told("or_cortical_disruption", "any leak with disrupted cortex", ("odds ratio", "osteoporotic"),
          (5.56, 1.84, 16.81), (POOLED_RISKS, 4187), 1, "vertebroplasty and kyphoplasty pooled; wall or endplate (not defined in the abstract)"),
    _told("or_low_viscosity", "any leak with low against high viscosity", ("odds ratio", "osteoporotic"),
          (3.32, 1.36, 8.07), (POOLED_RISKS, 4187), 2, "vertebroplasty and kyphoplasty pooled"),
    _told("rr_high_viscosity", "any leak with high against low viscosity", ("risk ratio", "osteoporotic"),
          (0.38, 0.29, 0.51), (HIGH_VISCOSITY, None), 3),
    _told("volume_leakers", "injected volume, leaking less tight vertebrae", ("difference (ml)", "osteoporotic"),
          (0.59, 0.02, 1.17), (POOLED_RISKS, 4187), 4),
    _compared("rr_venous_cleft", "venous leak (B or S) with cleft against without", ((52, 139), (94, 139)), CLEFT, 5),
    _compared("rr_cortical_cleft", "cortical leak (C or D) with cleft against without", ((56, 139), (23, 139)), CLEFT, 6),
    Published("or_canal_wall_defect", "canal leak with posterior-wall defect", "odds ratio", None, 1.0, INFINITE,
              "direction: p = 0.001 in both series", "metastatic", 643, (METASTASES_530, METASTASES_113),
              f"{METASTASES_530.read}; {METASTASES_113.read}", 7,
              "inside only if the simulated interval lies above 1"),
    _range("any_metastatic", "any leak", (292 / 724, 0.349, 0.566), ((METASTASES_530, METASTASES_113, CORCOS), 724),
           "metastatic", 8, "185/530, 64/113 and 43/81; value pooled"),
    _range("any_osteoporotic", "any leak", (0.547, 0.547, 0.80), ((POOLED_RISKS, VERTOS), 4267), "osteoporotic", 9,
           "54.7 % of vertebroplasties pooled, 80 % (70-87) on CT in VERTOS II"),
    _range("canal_metastatic", "leak into the canal (B or canal side of C)", (55 / 643, 0.070, 0.159),
           ((METASTASES_530, METASTASES_113), 643), "metastatic", 10, "37/530 and 18/113; value pooled"),
)  # fmt: skip
"""The main rows, each with what was read for it."""

FURTHER_ROWS: Final = (
    _counted("share_disrupted", "vertebrae with disrupted cortex before treatment", "osteoporotic", (68, 101), IKEDA,
             "a check of the cohort's mix, not of the injection"),
    _told("or_side_wall_disruption", "any leak with disrupted side wall", ("odds ratio", "osteoporotic"),
          (5.56, 1.84, 16.81), (POOLED_RISKS, 4187), 0, "row 1 if endplates were left out"),
    _told("or_cleft", "any leak with cleft", ("odds ratio", "osteoporotic"), (1.40, 1.09, 1.78), (POOLED_RISKS, 4187)),
    _compared("rr_any_cleft", "any leak with cleft against without", ((94, 139), (106, 139)), CLEFT),
    _compared("rr_any_cleft", "any leak with cleft against without", ((8, 44), (68, 148)), KRAUSS),
    _compared("rr_B_cleft", "leak B with cleft against without", ((29, 139), (44, 139)), CLEFT),
    _compared("rr_S_cleft", "leak S with cleft against without", ((34, 139), (73, 139)), CLEFT),
    _compared("rr_C_cleft", "leak C with cleft against without", ((36, 139), (17, 139)), CLEFT),
    _compared("rr_D_cleft", "leak D with cleft against without", ((23, 139), (9, 139)), CLEFT),
    _counted("venous_cleft", "venous leak with cleft", "osteoporotic", (52, 139), CLEFT),
    _counted("venous_plain", "venous leak without cleft", "osteoporotic", (94, 139), CLEFT),
    _counted("cortical_cleft", "cortical leak with cleft", "osteoporotic", (56, 139), CLEFT),
    _counted("cortical_plain", "cortical leak without cleft", "osteoporotic", (23, 139), CLEFT),
    _counted("rate_B", "leak B", "osteoporotic", (98, 344), TYPES_344, "counts from 28.5 %"),
    _counted("rate_S", "leak S", "osteoporotic", (118, 344), TYPES_344, "counts from 34.3 %"),
    _counted("rate_CD", "leak C, disc included", "osteoporotic", (84, 344), TYPES_344, "counts from 24.4 %"),
    _counted("canal_osteoporotic", "leaks into the canal, per vertebra", "osteoporotic", (28, 76), YEOM,
             "28 canal leaks among 74 leaks of 76 vertebrae; counted by leak, so an upper bound"),
    _counted("venous_osteoporotic", "venous leak (B or S)", "osteoporotic", (56, 80), VERTOS),
    _counted("rate_D", "disc leak", "osteoporotic", (22, 80), VERTOS),
    Published("volume_leakers", "injected volume, leaking less tight vertebrae", "difference (ml)", 0.8, 0.04, 1.56,
              "95 % interval from p = 0.04, not reported", "osteoporotic", 80, (VERTOS,), VERTOS.read, 0,
              "4.5 against 3.7 ml"),
    _counted("disc_broken_endplate", "disc leak with disrupted endplate", "osteoporotic", (54, 179), ENDPLATE),
    _counted("disc_whole_endplate", "disc leak without disrupted endplate", "osteoporotic", (0, 55), ENDPLATE),
    _counted("any_patient", "patients with any leak", "osteoporotic", (149, 181), MAYO,
             "1.5 treated levels a patient; per patient"),
    _told("or_low_viscosity", "any leak with low against high viscosity", ("odds ratio", "osteoporotic"),
          (1 / 0.23, 1 / 0.39, 1 / 0.14), (HIGH_VISCOSITY_2022, None), 0, "told as 0.23 (0.14-0.39) for high"),
    _told("rr_venous_high_viscosity", "venous leak with high against low viscosity", ("risk ratio", "osteoporotic"),
          (0.54, 0.35, 0.85), (HIGH_VISCOSITY, None)),
    _told("rr_canal_high_viscosity", "canal leak with high against low viscosity", ("risk ratio", "osteoporotic"),
          (0.48, 0.19, 1.23), (HIGH_VISCOSITY, None)),
    Published("rr_D_high_viscosity", "disc leak with high against low viscosity", "risk ratio", 0.45, 0.25, 0.80,
              "lower end from the symmetry of the logarithm: the abstract prints 0.45 twice", "osteoporotic", None,
              (HIGH_VISCOSITY,), HIGH_VISCOSITY.read),
    _told("rr_unipedicular", "any leak, one pedicle against two", ("risk ratio", "osteoporotic"),
          (0.89, 0.61, 1.29), (UNILATERAL, None), 0, "1.55 ml less cement with one pedicle"),
    _told("or_volume", "any leak per ml injected", ("odds ratio", "osteoporotic"),
          (2.519, 1.148, 4.477), (FORAMEN_167, 167), 0, "adjusted; the value is off the interval's log centre"),
    _range("venous_metastatic", "vascular leak", (None, 0.097, 0.25), ((METASTASES_530, METASTASES_113, CORCOS), 724),
           "metastatic", 0, "13.2, 9.7 and 25 %; paravertebral veins in the first two"),
    _told("or_cortical_collapse", "cortical leak (C or D) with collapse", ("odds ratio", "metastatic"),
          (32.0, 6.7, 161.0), (CORCOS, 81)),
    _counted("canal_wall_defect", "canal leak through an eroded wall", "metastatic", (10, 70), CIANFONI,
             "a cavity was made first in 59 of 70, high viscosity in all"),
)  # fmt: skip
"""More of what is published, compared in the same way."""

NOT_SIMULATED: Final = (
    _counted("pulmonary_embolism", "patients with cement in the lung", "osteoporotic", (34, 1782), EMBOLISM),
    _counted("paravertebral_vein", "leak into a paravertebral vein", "osteoporotic", (59, 585), PARAVERTEBRAL_VEIN,
             "five times rarer than leak S on CT elsewhere: a matter of what is counted"),
    _told("or_foramen", "any leak with a visible basivertebral foramen", ("odds ratio", "osteoporotic"),
          (3.357, 1.205, 9.356), (FORAMEN_167, 167)),
    _counted("canal_cortical", "cortical leak into the canal", "osteoporotic", (26, 3714), SERIES_3175,
             "0.7 % of vertebrae; by radiographs, CT where in doubt; vertebrae from the percentage"),
)  # fmt: skip
"""Read and kept for the reader: the simulator does not follow cement so far, or the reading differs."""
