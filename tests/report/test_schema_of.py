"""Schemas of dataclasses, and the planning sections in the shipped schema."""

from dataclasses import dataclass
from typing import Literal

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

from vertseg.report.plain import plain
from vertseg.report.planning_values import planning_schema
from vertseg.report.schema_of import definitions
from vertseg.report.summary import schema


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes:
        low_mm, high_mm: its ends, the lower
            one first.
    """

    low_mm: float
    high_mm: float | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    cells: NDArray[np.float32]


@dataclass(frozen=True)
class Whole:
    """A whole."""

    kind: Literal["a", "b"]
    parts: tuple[Part, ...]
    point_mm: tuple[float, float, float]
    shares: dict[str, float]
    picture: Picture | None = None


WHOLE = Whole(
    "a", (Part(1.23456, float("nan")),), (0.0, 1.0, 2.0), {"x": 0.5}, Picture(np.zeros(2, np.float32))
)


def test_what_plain_writes_follows_the_schema() -> None:
    found = definitions(Whole)
    written = plain(WHOLE)
    assert written == {
        "kind": "a", "parts": [{"low_mm": 1.2346, "high_mm": None}], "point_mm": [0.0, 1.0, 2.0], "shares": {"x": 0.5},
    }  # fmt: skip
    jsonschema.validate(written, {"$ref": "#/$defs/Whole", "$defs": found})


@pytest.mark.parametrize(
    "change", [{"kind": "c"}, {"point_mm": [0.0, 1.0]}, {"shares": {"x": "much"}}, {"parts": [{"low_mm": 1.0}]}, {"more": 1}]
)  # fmt: skip
def test_the_schema_refuses_what_is_none(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {**plain(WHOLE), **change}, {"$ref": "#/$defs/Whole", "$defs": definitions(Whole)}
        )


def test_names_that_share_a_sentence_all_get_it() -> None:
    properties = definitions(Part)["Part"]["properties"]
    assert (
        properties["low_mm"]["description"]
        == properties["high_mm"]["description"]
        == "its ends, the lower one first."
    )


def test_the_shipped_schema_is_that_of_the_dataclasses() -> None:
    found: dict[str, object] = {}
    assert schema()["$defs"]["planning"] == planning_schema(found), "run scripts/write_report_schema.py"
    assert {name: schema()["$defs"].get(name) for name in found} == found


def test_a_value_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        plain({1, 2})
