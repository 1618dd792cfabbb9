"""Figures of the check of cement, from rows whose answers are known."""

from typing import Any

import pytest

from scripts.check_cement import figures, parse_seeds, summary
from vertseg.errors import ConfigError

NONE = {"canal": 0.0, "disc": 0.0, "vein": 0.0, "track": 0.0}


def row(seed: int, drawn: float, measured: float | None, **ways: tuple[float, float]) -> dict[str, Any]:
    return {
        "seed": seed,
        "drawn_ml": drawn,
        "measured_ml": measured,
        "drawn_by_way_ml": {**NONE, **{w: a for w, (a, _) in ways.items()}},
        "measured_by_way_ml": {**NONE, **{w: b for w, (_, b) in ways.items()}},
        "soft_tissue_ml": 0.0,
    }


ROWS = [
    row(1, 2.0, 2.08, canal=(0.2, 0.2)),
    row(1, 0.5, 0.56, vein=(0.1, 0.0), disc=(0.0, 0.1)),
    row(2, 4.0, 3.9, disc=(0.3, 0.04)),
    row(3, 0.2, None),
]


def test_shares_are_those_of_the_rows() -> None:
    found = figures(ROWS)
    assert found["n_vertebrae"] == 4 and found["n_leaks_drawn"] == 3 and found["found"] == 0.75
    assert found["volume_within_5_percent"] == pytest.approx(2 / 3)
    assert found["volume_within_5_percent_from_1_ml"] == 1.0
    assert found["total_volume_error"] == pytest.approx((2.08 + 0.56 + 3.9) / 6.5 - 1)
    assert found["leaks_right"] == pytest.approx(1 / 3)
    assert found["leaks_precision"] == pytest.approx(1 / 2)
    # One is right; missed are a vein and a disc, a disc is found that is none.
    assert found["compartments_right"] == pytest.approx(1 / 4)


def test_intervals_hold_the_figure_and_seeds_without_cement_do_not_count() -> None:
    found = summary(ROWS, [1, 2, 3, 4])
    share = found["volume_within_5_percent"]
    assert share["low"] <= share["value"] <= share["high"]
    assert found["n_vertebrae"] == {"value": 4.0, "low": None, "high": None}
    assert summary([], [1])["compartments_right"]["value"] is None


def test_seeds_are_a_range() -> None:
    assert list(parse_seeds("5-7")) == [5, 6, 7]
    with pytest.raises(ConfigError, match="not a range"):
        parse_seeds("7-5")
