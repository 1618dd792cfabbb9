#!/usr/bin/env python3
"""Write the planning sections of vertseg/report/schema.json from the dataclasses that they are made of.

python scripts/write_report_schema.py
"""

import json
from pathlib import Path
from typing import Any

from vertseg.report.planning_values import planning_schema
from vertseg.report.summary import SCHEMA_VERSION, schema

OWN = ("probability", "measure", "vector", "vertebra")
"""Definitions that are written by hand."""


def updated(content: dict[str, Any]) -> dict[str, Any]:
    """The schema with the planning sections as the dataclasses are now."""
    found: dict[str, Any] = {}
    planning = planning_schema(found)
    definitions = {name: content["$defs"][name] for name in OWN}
    vertebra = definitions["vertebra"]
    vertebra["properties"]["planning"] = {"$ref": "#/$defs/planning"}
    if "planning" not in vertebra["required"]:
        vertebra["required"].append("planning")
    content["properties"]["schema_version"]["const"] = SCHEMA_VERSION
    content["$defs"] = {**definitions, "planning": planning, **dict(sorted(found.items()))}
    return content


def main() -> None:
    """Write it."""
    text = json.dumps(updated(schema()), indent=1, ensure_ascii=False) + "\n"
    Path("vertseg/report/schema.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
