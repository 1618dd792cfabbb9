"""The planning sections of `report.json`: one object a vertebra, its parts named as the modules that make them."""

from typing import Any, Final, get_type_hints

from vertseg.planning.plan import VertebraPlan
from vertseg.planning.vertebra_measures import VertebraMeasures
from vertseg.planning.wall_map import wall_map_values
from vertseg.report.plain import plain
from vertseg.report.schema_of import schema_of

MEASURED: Final = ("collapse", "alignment", "lesion", "density", "wall", "canal", "sins")
"""Sections that come from `planning.vertebra_measures`."""


def planning_values(plan: VertebraPlan) -> dict[str, Any]:
    """Plain values of a plan; what was not asked for or is not there is null."""
    wall = plan.measures.wall_map
    return {
        **{name: plain(getattr(plan.measures, name)) for name in MEASURED},
        "wall_map": None if wall is None else plain(wall_map_values(wall)),
        "leaks": plain(plan.leaks),
        "cement": plain(plan.cement),
        "corridors": plain(plan.corridors),
        "spread": plain(plan.spread),
        "cannulas": plain(plan.cannulas),
    }


def planning_schema(found: dict[str, Any]) -> dict[str, Any]:
    """Schema of `planning_values`; the definitions that it refers to are added to `found`."""
    measured, planned = get_type_hints(VertebraMeasures), get_type_hints(VertebraPlan)
    sections: dict[str, Any] = {name: schema_of(measured[name], found) for name in MEASURED}
    sections["wall_map"] = {
        "description": "The posterior wall unrolled, in cells of 2 mm; null where no wall is seen.",
        "type": ["object", "null"],
    }
    for name in ("leaks", "cement", "corridors", "spread", "cannulas"):
        sections[name] = schema_of(planned[name], found)
    return {
        "description": "What was measured and planned; null where the vertebra was not planned.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "required": list(sections),
        "properties": sections,
    }
