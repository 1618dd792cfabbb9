"""The injection simulated in this vertebra: a second opinion beside the learned leak risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from vertseg.inference.options import Plan
from vertseg.planning.upright import UprightVertebra

SEEDS: Final = tuple(range(8))
SPACING_MM: Final = 1.5
"""Edge of the simulated voxels, as in the training's injections."""

MOST_ML: Final = 8.0
"""Every run goes on to this volume, beyond the plan's: it passes through the states of every smaller one."""

NotComputed = Literal["needs_torch", "no_body"]
"""Why there is no run: torch is not installed; the prediction shows no body of this vertebra."""


@dataclass(frozen=True)
class FirstLeak:
    """Where and when the first leak of one run appears.

    Attributes:
        seed: of the run.
        route: of `labels.LEAK_ROUTES`.
        volume_ml: injected until then.
        place_mm: (3,) of the opening in the vertebra's wall, world RAS mm.
    """

    seed: int
    route: str
    volume_ml: float
    place_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Share:
    """Share of runs that leak by a route, and its 95 % interval (Jeffreys), as runs are few."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class MechanisticRun:
    """Injections simulated in one vertebra, each with veins, tip error and batch of cement drawn anew.

    Attributes:
        volume_ml: planned volume; what the plan left open is `cement`'s usual choice.
        viscosity: one of `labels.VISCOSITIES`.
        approach: one of `labels.APPROACHES`.
        seeds: one for each run.
        shares: outcome of `labels.LEAK_OUTCOMES` -> share of runs that leak by `volume_ml`.
        volumes_ml: of the next.
        share_at: outcome -> share of runs that leak by each of `volumes_ml`.
        first_leak_ml: median, least and largest volume at the first leak, of the runs that leak by `MOST_ML`;
            None where none does.
        first_leaks: of those runs, soonest first.
        spacing_mm: edge of the simulated voxels.
        seconds: wall time of all runs.
    """

    volume_ml: float
    viscosity: str
    approach: str
    seeds: tuple[int, ...]
    shares: dict[str, Share]
    volumes_ml: tuple[float, ...]
    share_at: dict[str, tuple[float, ...]]
    first_leak_ml: tuple[float, float, float] | None
    first_leaks: tuple[FirstLeak, ...]
    spacing_mm: float
    seconds: float


@dataclass(frozen=True)
class Mechanistic:
    """A run, or why there is none."""

    run: MechanisticRun | None
    not_computed: NotComputed | None = None


def mechanistic(
    upright: UprightVertebra, plan: Plan, seeds: Sequence[int] = SEEDS, spacing_mm: float = SPACING_MM
) -> Mechanistic:
    """Simulate the plan's injection in a vertebra once for each seed.

    Args:
        upright: the vertebra.
        plan: what it leaves open is taken as 4 ml, medium viscosity, one cannula.
        seeds: of the runs; fewer are quicker.
        spacing_mm: edge of the simulated voxels; 2 mm is quicker than 1.5 and coarser.
    """
    raise NotImplementedError
