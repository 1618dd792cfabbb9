"""What was foreseen of an injection beside what came of it, vertebra by vertebra."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import InputError
from vertseg.inference.findings import VertebraFindings
from vertseg.labels import level_name
from vertseg.planning.cement_spread import CementSpread, cement_spread, spread_of
from vertseg.planning.followup_scans import ExaminedScan
from vertseg.planning.registration import Registration, check_levels, register
from vertseg.planning.treated_spine import treated_spine
from vertseg.planning.upright import UprightVertebra, upright_vertebra
from vertseg.volume import Volume, box_around

LEAST_INJECTED_ML: Final = 0.15
"""Less cement in a vertebra is not taken for an injection."""


@dataclass(frozen=True, eq=False)
class TreatedVertebra:
    """One vertebra after its injection.

    Attributes:
        cement: where its cement lies.
        before: what the scan before the injection showed of it, the leak risk among that; None without such a scan
            or where it does not show this level.
        registration: how it lies in the scan after the injection; None without a scan before.
        cement_before_ml: cement that it held already then.
        warnings: sentences for the reader.
    """

    cement: CementSpread
    before: VertebraFindings | None = None
    registration: Registration | None = None
    cement_before_ml: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def level(self) -> int:
        """VerSe level number."""
        return self.cement.level

    @property
    def name(self) -> str:
        """Name of the level."""
        return level_name(self.level)

    @property
    def newly_treated(self) -> bool:
        """Whether its cement is of this injection: it held none before, as far as is known."""
        return self.cement_before_ml < LEAST_INJECTED_ML


@dataclass(frozen=True, eq=False)
class FollowUp:
    """A scan after injections, and the one before where there is one.

    Attributes:
        vertebrae: the treated ones, head to foot.
        post, pre: the scans.
        places: (X, Y, Z) cement by compartment, see `cement_spread.spread_of`; None where there is no cement.
        warnings: sentences for the reader.
    """

    vertebrae: tuple[TreatedVertebra, ...]
    post: ExaminedScan
    pre: ExaminedScan | None
    places: Volume | None
    warnings: tuple[str, ...] = field(default=())


def follow_up(
    post: ExaminedScan, pre: ExaminedScan | None = None, levels: tuple[int, ...] | None = None
) -> FollowUp:
    """Tell where the cement of a scan went, and how that compares with the scan before.

    Args:
        post: after the injection.
        pre: before it.
        levels: treat only these as injected; None takes all that hold `LEAST_INJECTED_ML` of cement.

    Raises:
        InputError: one of `levels` holds no cement.
        ConfigError: the levels of the two scans do not match.
    """
    spine = treated_spine(post.findings, post.scan.volume)
    spreads, places = ({}, None) if spine is None else spread_of(spine, {})
    treated = [n for n, s in spreads.items() if s.body_ml + s.posterior_ml >= LEAST_INJECTED_ML]
    if levels is not None:
        absent = [level_name(n) for n in levels if n not in treated]
        if absent:
            names = ", ".join(level_name(n) for n in treated) or "none"
            raise InputError(
                f"No cement was found in {', '.join(absent)}; with cement in '{post.scan.path}': {names}."
            )
        treated = [n for n in treated if n in levels]
    matched = {} if pre is None else _registered(pre, post, treated)
    held = {} if pre is None or not treated else cement_spread(pre.findings, pre.scan.volume)
    lesions = {} if pre is None else {n: r.moved(_lesion(pre, n)) for n, r in matched.items() if r.good}
    lesions = {n: lesion for n, lesion in lesions.items() if lesion.array.any()}
    if spine is not None and lesions:
        spreads, places = spread_of(spine, lesions)
    vertebrae = tuple(
        _treated(spreads[n], pre, matched.get(n), held[n].cement_ml if n in held else 0.0) for n in treated
    )
    shown = None if spine is None or places is None else Volume(places, spine.grid.affine)
    missing = () if vertebrae else (f"No cement was found in '{post.scan.path.name}'.",)
    return FollowUp(vertebrae, post, pre, shown, (*missing, *post.findings.warnings))


def _treated(
    cement: CementSpread, pre: ExaminedScan | None, matched: Registration | None, held_ml: float
) -> TreatedVertebra:
    before = None
    if pre is not None:
        before = next((v for v in pre.findings.vertebrae if v.level == cement.level), None)
    name, warnings = level_name(cement.level), list(cement.warnings)
    if pre is not None and before is None:
        warnings.append(f"The scan before the injection does not show {name}.")
    if matched is not None and not matched.good:
        warnings.append(
            f"{name} of the two scans could not be laid upon each other well (correlation {matched.correlation:.2f}, "
            f"overlap {matched.dice:.2f}); look at the pictures before the two are compared."
        )
    if held_ml >= LEAST_INJECTED_ML:
        warnings.append(f"{name} held cement before ({held_ml:.1f} ml), so it is not counted as an outcome.")
    return TreatedVertebra(cement, before, matched, held_ml, tuple(warnings))


def _registered(pre: ExaminedScan, post: ExaminedScan, treated: list[int]) -> dict[int, Registration]:
    """Registrations of the treated vertebrae that both scans show, from PRE to POST, by level."""
    if not treated:
        return {}
    levels = [v.level for v in pre.findings.vertebrae]
    shown = [n for n in treated if n in levels]
    first = _upright(pre, _near(levels, shown, 1) or levels)
    second = _upright(post, _near([v.level for v in post.findings.vertebrae], list(first), 1))
    check_levels(first, second)
    return {n: register(first[n], second[n]) for n in shown}


def _near(order: list[int], levels: list[int], steps: int) -> list[int]:
    """Those of `order` that are in `levels` or at most so many places from one."""
    places = [order.index(n) for n in levels if n in order]
    return [n for i, n in enumerate(order) if any(abs(i - place) <= steps for place in places)]


def _upright(scan: ExaminedScan, levels: list[int]) -> dict[int, UprightVertebra]:
    return {
        v.level: upright_vertebra(scan.findings, scan.scan.volume, i)
        for i, v in enumerate(scan.findings.vertebrae)
        if v.level in levels
    }


def _lesion(scan: ExaminedScan, level: int) -> Volume:
    """A vertebra's lytic lesion, cut to its own box."""
    levels, lytic = scan.findings.levels, scan.findings.masks["lytic_lesion"]
    mask: NDArray[np.bool_] = (lytic.array > 0) & (levels.array == level)
    if not mask.any():
        return lytic.cropped((0, 0, 0), (1, 1, 1)).with_array(np.zeros((1, 1, 1), bool))
    box = box_around(mask, 1)
    return Volume(mask, lytic.affine).cropped([s.start for s in box], [s.stop for s in box])
