"""The published statistics, computed from a treated cohort: one estimator for each key of `published`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from vertseg.cement.parameters import LEAK_THRESHOLD_ML
from vertseg.cement.routes import CANAL_ROUTES
from vertseg.cement.validation.cohort_site import VISIBLE_MM2
from vertseg.cement.validation.run import Treatment
from vertseg.cement.validation.statistics import Mask, fit_logistic, odds_ratio, risk_ratio
from vertseg.errors import ConfigError

Index = npt.NDArray[np.intp]
GRADES: Final = ("mild", "moderate", "severe")
NAN: Final = float("nan")


@dataclass(frozen=True)
class Columns:
    """A cohort of one population as columns (N,): factors, plan and leaks (a leak is `LEAK_THRESHOLD_ML` or more).

    Attributes:
        endplate: an endplate is broken, as MR shows.
        disrupted: `VISIBLE_MM2` of open side wall or endplate: series that sort leaks by Yeom's types count discs
            among cortical leaks, and endplates with the cortex.
        side_open: the same of the side wall alone.
        wall_defect: the same of the posterior wall.
    """

    patient: npt.NDArray[np.intp]
    grade: npt.NDArray[np.str_]
    collapsed: Mask
    cleft: Mask
    endplate: Mask
    disrupted: Mask
    side_open: Mask
    wall_defect: Mask
    volume_ml: npt.NDArray[np.float64]
    viscosity: npt.NDArray[np.str_]
    unipedicular: Mask
    B: Mask
    S: Mask
    C: Mask
    D: Mask
    canal: Mask

    @property
    def any(self) -> Mask:
        """Any leak."""
        return np.asarray(self.B | self.S | self.C | self.D)

    @property
    def venous(self) -> Mask:
        """Leak B or S."""
        return np.asarray(self.B | self.S)

    @property
    def cortical(self) -> Mask:
        """Leak C or D."""
        return np.asarray(self.C | self.D)

    def take(self, index: Index | Mask) -> "Columns":
        """The vertebrae of an index, with repeats."""
        return Columns(*(getattr(self, f.name)[index] for f in fields(self)))

    @staticmethod
    def of(rows: Sequence[Treatment], population: str) -> "Columns":
        """Columns of one population."""
        mine = [row for row in rows if row.population == population]

        def leak(*routes: str) -> Mask:
            return np.array(
                [sum(r.leaked_ml[k] for k in routes) >= LEAK_THRESHOLD_ML for r in mine], dtype=bool
            )

        def flag(name: str) -> Mask:
            return np.array([getattr(r, name) for r in mine], dtype=bool)

        def seen(name: str) -> Mask:
            return np.array([getattr(r, name) >= VISIBLE_MM2 for r in mine], dtype=bool)

        return Columns(
            np.array([r.patient for r in mine], dtype=np.intp),
            np.array([r.severity for r in mine], dtype=np.str_),
            np.array([r.height_loss > 0 for r in mine], dtype=bool),
            flag("cleft"), flag("endplate_break"),
            seen("open_mm2") | seen("endplate_mm2"), seen("open_mm2"), seen("wall_mm2"),
            np.array([r.volume_ml for r in mine], dtype=np.float64),
            np.array([r.viscosity for r in mine], dtype=np.str_),
            np.array([r.approach == "unipedicular" for r in mine], dtype=bool),
            leak("B"), leak("S"), leak("C_canal", "C_other"), leak("D"), leak(*CANAL_ROUTES),
        )  # fmt: skip


Estimator = Callable[[Columns], float]


def counts(leak: Mask, group: Mask) -> tuple[int, int]:
    """Leaking vertebrae of a group and all of it."""
    return int((leak & group).sum()), int(group.sum())


def _rate(leak: Callable[[Columns], Mask], group: Callable[[Columns], Mask] | None = None) -> Estimator:
    def estimate(c: Columns) -> float:
        chosen = leak(c) if group is None else leak(c)[group(c)]
        return float(chosen.mean()) if len(chosen) else NAN

    return estimate


def _odds(leak: Callable[[Columns], Mask], factor: Callable[[Columns], Mask]) -> Estimator:
    return lambda c: odds_ratio(counts(leak(c), factor(c)), counts(leak(c), ~factor(c))).value


def _viscosity_odds(c: Columns) -> float:
    return odds_ratio(counts(c.any, c.viscosity == "low"), counts(c.any, c.viscosity == "high")).value


def _high_against_low(leak: Callable[[Columns], Mask]) -> Estimator:
    return lambda c: (
        risk_ratio(counts(leak(c), c.viscosity == "high"), counts(leak(c), c.viscosity == "low")).value
    )


def _matched(c: Columns, leak: Mask) -> tuple[float, float]:
    """Rates with a cleft, and without one at the same mix of grades: the published pairs were matched so."""
    with_cleft, plain, weight = 0.0, 0.0, 0
    for grade in GRADES:
        here, there = c.cleft & (c.grade == grade), ~c.cleft & (c.grade == grade)
        n = int(here.sum())
        if n and there.any():
            with_cleft += float(leak[here].sum())
            plain += n * float(leak[there].mean())
            weight += n
    return (with_cleft / weight, plain / weight) if weight else (NAN, NAN)


def _cleft_ratio(leak: Callable[[Columns], Mask]) -> Estimator:
    def estimate(c: Columns) -> float:
        first, second = _matched(c, leak(c))
        return first / second if second > 0 else NAN

    return estimate


def _cleft_rate(leak: Callable[[Columns], Mask], with_cleft: bool) -> Estimator:
    return lambda c: _matched(c, leak(c))[0 if with_cleft else 1]


def _volume_of_leakers(c: Columns) -> float:
    leak = c.any
    return (
        float(c.volume_ml[leak].mean() - c.volume_ml[~leak].mean()) if leak.any() and not leak.all() else NAN
    )


def _volume_odds(c: Columns) -> float:
    """Odds ratio per ml, adjusted for cleft and disrupted cortex as the study did."""
    try:
        return fit_logistic(np.column_stack([c.volume_ml, c.cleft, c.disrupted]), c.any).odds_ratio(1).value
    except ConfigError:
        return NAN


def _patients_with_leak(c: Columns) -> float:
    patients = np.unique(c.patient)
    return len(np.unique(c.patient[c.any])) / len(patients) if len(patients) else NAN


ESTIMATORS: Final[dict[str, Estimator]] = {
    "or_cortical_disruption": _odds(lambda c: c.any, lambda c: c.disrupted),
    "or_side_wall_disruption": _odds(lambda c: c.any, lambda c: c.side_open),
    "share_disrupted": _rate(lambda c: c.disrupted),
    "or_low_viscosity": _viscosity_odds,
    "rr_high_viscosity": _high_against_low(lambda c: c.any),
    "volume_leakers": _volume_of_leakers,
    "rr_venous_cleft": _cleft_ratio(lambda c: c.venous),
    "rr_cortical_cleft": _cleft_ratio(lambda c: c.cortical),
    "or_canal_wall_defect": _odds(lambda c: c.canal, lambda c: c.wall_defect),
    "any_metastatic": _rate(lambda c: c.any),
    "any_osteoporotic": _rate(lambda c: c.any),
    "canal_metastatic": _rate(lambda c: c.canal),
    "or_cleft": _odds(lambda c: c.any, lambda c: c.cleft),
    "rr_any_cleft": _cleft_ratio(lambda c: c.any),
    "rr_B_cleft": _cleft_ratio(lambda c: c.B),
    "rr_S_cleft": _cleft_ratio(lambda c: c.S),
    "rr_C_cleft": _cleft_ratio(lambda c: c.C),
    "rr_D_cleft": _cleft_ratio(lambda c: c.D),
    "venous_cleft": _cleft_rate(lambda c: c.venous, True),
    "venous_plain": _cleft_rate(lambda c: c.venous, False),
    "cortical_cleft": _cleft_rate(lambda c: c.cortical, True),
    "cortical_plain": _cleft_rate(lambda c: c.cortical, False),
    "rate_B": _rate(lambda c: c.B),
    "rate_S": _rate(lambda c: c.S),
    "rate_CD": _rate(lambda c: c.cortical),
    "canal_osteoporotic": _rate(lambda c: c.canal),
    "venous_osteoporotic": _rate(lambda c: c.venous),
    "rate_D": _rate(lambda c: c.D),
    "disc_broken_endplate": _rate(lambda c: c.D, lambda c: c.endplate),
    "disc_whole_endplate": _rate(lambda c: c.D, lambda c: ~c.endplate),
    "any_patient": _patients_with_leak,
    "rr_venous_high_viscosity": _high_against_low(lambda c: c.venous),
    "rr_canal_high_viscosity": _high_against_low(lambda c: c.canal),
    "rr_D_high_viscosity": _high_against_low(lambda c: c.D),
    "rr_unipedicular": lambda c: (
        risk_ratio(counts(c.any, c.unipedicular), counts(c.any, ~c.unipedicular)).value
    ),
    "or_volume": _volume_odds,
    "venous_metastatic": _rate(lambda c: c.venous),
    "or_cortical_collapse": _odds(lambda c: c.cortical, lambda c: c.collapsed),
    "canal_wall_defect": _rate(lambda c: c.canal, lambda c: c.wall_defect),
}
"""Key of `published.Published` -> its value in a cohort of that row's population; NaN where it is undefined."""
