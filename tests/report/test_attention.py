"""Traffic lights from drawn reports."""

from typing import Any

import pytest

from vertseg.report.attention import attention

SOUND: dict[str, Any] = {
    "wall_defect_mm2": 0.0, "lesion_share": 0.0, "height_ratio": 0.95, "cut_by_field": False, "confidence": 0.9,
    "leak_abstained": False, "leak_probability": {"any": 0.1}, "planning": None,
}  # fmt: skip


def test_a_sound_vertebra_is_green() -> None:
    found = attention(SOUND)
    assert (found.light, found.reasons) == ("green", ())


@pytest.mark.parametrize(
    ("change", "light", "code"),
    [
        ({"wall_defect_mm2": 40.0}, "red", "wall_defect"),
        ({"wall_defect_mm2": 39.9}, "amber", "wall_defect"),
        ({"lesion_share": 0.2}, "red", "lytic_share"),
        ({"lesion_share": 0.03}, "amber", "lytic_share"),
        ({"height_ratio": 0.55}, "red", "height_loss"),
        ({"height_ratio": 0.7}, "amber", "height_loss"),
        ({"leak_probability": {"any": 0.5}}, "red", "leak"),
        ({"leak_probability": {"any": 0.9}, "leak_abstained": True}, "amber", "leak_withheld"),
        ({"cut_by_field": True, "height_ratio": 0.4}, "amber", "cut_by_field"),
        ({"confidence": 0.4}, "amber", "uncertain_level"),
        ({"planning": {"corridors": [{"feasible": False}]}}, "red", "no_corridor"),
        ({"planning": {"sins": {"applicable": True, "low": 13}}}, "red", "sins"),
        ({"planning": {"canal": {"narrowing_percent": 12.0}}}, "amber", "canal"),
        (
            {"planning": {"spread": {"leak": {"any": True}, "leaked_ml": 0.6, "compartment_ml": {"canal": 0.2}}}},
            "red", "canal_cement",
        ),
    ],
)  # fmt: skip
def test_each_limit_gives_its_light_and_its_reason(change: dict[str, Any], light: str, code: str) -> None:
    found = attention({**SOUND, **change})
    assert (found.light, found.reasons[0].code) == (light, code)


def test_the_graver_reason_comes_first() -> None:
    found = attention({**SOUND, "wall_defect_mm2": 10.0, "lesion_share": 0.5})
    assert [reason.light for reason in found.reasons] == ["red", "amber"]


def test_a_gap_at_the_foramen_alone_is_no_red_light() -> None:
    wall = {"wall_mm2": 700.0, "defect_mm2": 0.0, "foramen_defect_mm2": 45.0}
    found = attention({**SOUND, "wall_defect_mm2": 45.0, "planning": {"wall": wall}})
    assert [(reason.light, reason.code) for reason in found.reasons] == [("amber", "foramen_defect")]


def test_the_loss_against_neighbours_counts_where_it_is_known() -> None:
    planning = {"collapse": {"loss_percent": 45.0}}
    assert attention({**SOUND, "planning": planning}).reasons[0].value == 45.0
    assert (
        attention({**SOUND, "height_ratio": 0.5, "planning": {"collapse": {"loss_percent": None}}}).light
        == "green"
    )
