"""The planning sections of `report.json`: one object a vertebra, its parts named as the modules that make them."""

from typing import Any, Final

from vertseg.planning.plan import VertebraPlan
from vertseg.report.plain import plain

MEASURED: Final = ("collapse", "alignment", "lesion", "density", "wall", "canal", "sins")
"""Sections that come from `planning.vertebra_measures`."""


def planning_values(plan: VertebraPlan) -> dict[str, Any]:
    """Plain values of a plan; what was not asked for or is not there is null."""
    return {
        **{name: plain(getattr(plan.measures, name)) for name in MEASURED},
        "leaks": plain(plan.leaks),
        "cement": plain(plan.cement),
        "corridors": plain(plan.corridors),
        "spread": plain(plan.spread),
        "cannulas": plain(plan.cannulas),
    }
