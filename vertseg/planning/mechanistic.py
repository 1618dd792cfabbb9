"""The injection simulated in this vertebra: a second opinion beside the learned leak risk."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import betaincinv

from vertseg.inference.options import Plan
from vertseg.labels import APPROACHES, LEAK_OUTCOMES, LEAK_ROUTES, VISCOSITIES, Approach, Tissue, Viscosity
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.whatif import VOLUMES_ML
from vertseg.volume import Grid, Volume

if TYPE_CHECKING:
    from vertseg.cement.injection import Injection

Array = NDArray[np.float64]

USUAL_PLAN: Final[tuple[float, Viscosity, Approach]] = (4.0, "medium", "unipedicular")
"""Volume in ml, viscosity and approach that stand in for what a plan leaves open."""

SEEDS: Final = tuple(range(8))
SPACING_MM: Final = 1.5
"""Edge of the simulated voxels, as in the training's injections."""

MOST_ML: Final = 8.0
"""Every run goes on to this volume, beyond the plan's: it passes through the states of every smaller one."""

_MARGIN_MM: Final = 6.0
_BEHIND_MM: Final = 24.0
"""Behind the body lie the canal and the pedicles."""

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
        volume_ml: planned volume; what the plan left open is of `USUAL_PLAN`.
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
    if find_spec("torch") is None:
        return Mechanistic(None, "needs_torch")
    if not upright.body.any():
        return Mechanistic(None, "no_body")
    start = time.perf_counter()
    chosen = planned(plan)
    site, grid = _site(upright, spacing_mm)
    onsets = np.stack(
        [_onsets(_injected(site, chosen, seed, max(MOST_ML, chosen.volume_ml))) for seed in seeds]
    )
    leaks = [_first_leak(site, chosen, seed, o, grid) for seed, o in zip(seeds, onsets, strict=True)]
    firsts = tuple(sorted((leak for leak in leaks if leak is not None), key=lambda leak: leak.volume_ml))
    volumes = [leak.volume_ml for leak in firsts]
    return Mechanistic(
        MechanisticRun(
            volume_ml=chosen.volume_ml,
            viscosity=chosen.viscosity,
            approach=chosen.approach,
            seeds=tuple(seeds),
            shares={
                name: share_of(int((onsets[:, i] <= chosen.volume_ml).sum()), len(onsets))
                for i, name in enumerate(LEAK_OUTCOMES)
            },
            volumes_ml=VOLUMES_ML,
            share_at={
                name: tuple(float((onsets[:, i] <= ml).mean()) for ml in VOLUMES_ML)
                for i, name in enumerate(LEAK_OUTCOMES)
            },
            first_leak_ml=(float(np.median(volumes)), min(volumes), max(volumes)) if volumes else None,
            first_leaks=firsts,
            spacing_mm=spacing_mm,
            seconds=time.perf_counter() - start,
        )
    )


@dataclass(frozen=True)
class SimulatedPlan:
    """A plan in which nothing is open."""

    volume_ml: float
    viscosity: Viscosity
    approach: Approach


def planned(plan: Plan) -> SimulatedPlan:
    """The plan with `USUAL_PLAN` in place of what it leaves open."""
    volume, viscosity, approach = USUAL_PLAN
    return SimulatedPlan(
        volume if plan.volume_ml is None else plan.volume_ml,
        next((v for v in VISCOSITIES if v == plan.viscosity), viscosity),
        next((a for a in APPROACHES if a == plan.approach), approach),
    )


def share_of(count: int, n: int) -> Share:
    """Share of `n` runs and its 95 % Jeffreys interval (Brown, Cai and DasGupta 2001, Stat Sci 16:101-33).

    As there, the interval ends at 0 where none leaks and at 1 where all do.
    """
    low = 0.0 if count == 0 else float(betaincinv(count + 0.5, n - count + 0.5, 0.025))
    high = 1.0 if count == n else float(betaincinv(count + 0.5, n - count + 0.5, 0.975))
    return Share(count / n, low, high)


def _site(upright: UprightVertebra, spacing_mm: float) -> tuple[Any, Grid]:
    """The injector's site of a vertebra, and the grid that it lies on: the vertebra's box with a margin."""
    from vertseg.cement.site import site_from_labels

    grid = _box_grid(upright, spacing_mm)
    source = upright.grid.affine

    def share(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(Volume(mask.astype(np.float32), source).resampled_to(grid, 1, 0.0).array >= 0.5)

    tissue = np.zeros(grid.shape, np.uint8)
    tissue[share(upright.posterior)] = int(Tissue.POSTERIOR)
    tissue[share(upright.body)] = int(Tissue.BODY)
    # A wall is thinner than a coarse voxel: any of it inside opens the voxel's face.
    thin = ndimage.maximum_filter(upright.masks["posterior_wall_defect"], 2)
    wall = Volume(thin.astype(np.uint8), source).resampled_to(grid, 0, 0).array > 0
    masks = {"lytic_lesion": share(upright.masks["lytic_lesion"]), "posterior_wall_defect": wall}
    # The simulator wants bone without noise; the mean over its voxel takes most of it.
    smooth = ndimage.uniform_filter(upright.hu, max(1, round(spacing_mm / upright.spacing_mm)))
    hu = Volume(smooth, source).resampled_to(grid, 1, 0.0).array
    return site_from_labels(hu, tissue, masks, spacing_mm), grid


def _box_grid(upright: UprightVertebra, spacing_mm: float) -> Grid:
    """Grid of a spacing over the body and what lies behind it, in the vertebra's own frame."""
    margin = np.ceil(np.array([_MARGIN_MM, _MARGIN_MM, _MARGIN_MM]) / upright.spacing_mm)
    behind = np.ceil(np.array([_MARGIN_MM, _BEHIND_MM, _MARGIN_MM]) / upright.spacing_mm)
    inside = np.argwhere(upright.body)
    start = np.maximum(inside.min(axis=0) - behind, 0)
    stop = np.minimum(inside.max(axis=0) + 1 + margin, upright.body.shape)
    shape = np.ceil((stop - start) * upright.spacing_mm / spacing_mm).astype(int)
    affine = upright.grid.affine.copy()
    affine[:3, :3] *= spacing_mm / upright.spacing_mm
    # Corners coincide, not the middles of the first voxels.
    first = start - 0.5 + 0.5 * spacing_mm / upright.spacing_mm
    affine[:3, 3] = upright.grid.world(first)
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def _injected(site: Any, plan: SimulatedPlan, seed: int, volume_ml: float) -> "Injection":
    """One run; even seeds enter from the right, odd ones from the left, as the side is not planned yet."""
    import torch

    from vertseg.cement.injection import inject
    from vertseg.cement.plan import InjectionPlan

    side: Literal["right", "left"] = "left" if seed % 2 else "right"
    with torch.inference_mode():
        return inject([site], [InjectionPlan(volume_ml, plan.viscosity, plan.approach, side)], [seed])[0]


def _onsets(injection: "Injection") -> Array:
    """(5,) volume at which each of `labels.LEAK_OUTCOMES` begins to leak; infinite where it does not."""
    from vertseg.phantom.leak_draws import onset_ml

    routes = onset_ml(injection).astype(np.float64)
    return np.append(routes, routes.min())


def _first_leak(site: Any, plan: SimulatedPlan, seed: int, onsets: Array, grid: Grid) -> FirstLeak | None:
    """A run's first leak; the run is repeated up to there, and the opening that let out most by then is its place."""
    from vertseg.cement.routes import LABEL_OF_ROUTE, ROUTES

    if not np.isfinite(onsets[-1]):
        return None
    route = LEAK_ROUTES[int(onsets[:-1].argmin())]
    injection = _injected(site, plan, seed, float(onsets[-1]))
    openings = injection.prepared.openings
    mine = np.array([LABEL_OF_ROUTE[ROUTES[int(r)]] == route for r in openings.route])
    most = int(np.where(mine, injection.opening_leaked_ml.numpy(), -1.0).argmax())
    contacts = openings.opening.numpy() == most
    voxels, shares = openings.voxel.numpy()[contacts], openings.share.numpy()[contacts]
    place = grid.world((voxels * shares[:, None]).sum(0) / shares.sum() + np.array(injection.prepared.low))
    return FirstLeak(seed, route, float(onsets[-1]), (float(place[0]), float(place[1]), float(place[2])))
