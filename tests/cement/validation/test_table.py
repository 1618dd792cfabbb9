"""Estimators and table on cohorts whose answers are known by construction."""

import json
import math

import numpy as np
import pytest

from vertseg.cement.routes import ROUTES
from vertseg.cement.validation.estimators import ESTIMATORS, Columns
from vertseg.cement.validation.published import MAIN_ROWS
from vertseg.cement.validation.run import Treatment
from vertseg.cement.validation.statistics import Estimate
from vertseg.cement.validation.table import build, is_inside, markdown, score


def treated(case, leaks=(), **changes):
    """One vertebra that leaks 0.2 ml by each of the given routes."""
    values = {
        "case": case, "patient": case, "population": "osteoporotic", "level": 20, "severity": "moderate",
        "height_loss": 0.3, "cleft": False, "endplate_break": False, "open_mm2": 0.0,
        "wall_mm2": 0.0, "endplate_mm2": 0.0, "lesion": "", "foramen_mm": 2.7, "trabecular_hu": 70.0,
        "body_ml": 20.0, "volume_ml": 4.0, "viscosity": "low", "approach": "unipedicular",
        "leaked_ml": {r: 0.2 * (r in leaks) for r in ROUTES}, "pressure_kpa": 1.0,
    }  # fmt: skip
    return Treatment(**(values | changes))


def group(start, leaking, n, leaks, **changes):
    return [treated(start + i, leaks if i < leaking else (), **changes) for i in range(n)]


def test_leaks_below_the_threshold_do_not_count_and_two_canal_routes_add_up():
    small = treated(0, leaked_ml=dict.fromkeys(ROUTES, 0.0) | {"B": 0.03, "C_canal": 0.03})
    columns = Columns.of([small, treated(1, ("B",))], "osteoporotic")
    assert columns.any.tolist() == [False, True]
    assert columns.canal.tolist() == [True, True]


def test_disruption_viscosity_and_volume_are_those_of_the_two_by_two_tables():
    rows = group(0, 30, 50, ("C_other",), open_mm2=30.0, viscosity="high", volume_ml=5.0)
    rows += group(50, 12, 50, ("S",), volume_ml=3.0)
    columns = Columns.of(rows, "osteoporotic")
    assert ESTIMATORS["or_cortical_disruption"](columns) == pytest.approx(30 * 38 / (20 * 12))
    assert ESTIMATORS["or_low_viscosity"](columns) == pytest.approx(12 * 20 / (38 * 30))
    assert ESTIMATORS["rr_high_viscosity"](columns) == pytest.approx(30 / 12)
    leakers, others = (30 * 5 + 12 * 3) / 42, (20 * 5 + 38 * 3) / 58
    assert ESTIMATORS["volume_leakers"](columns) == pytest.approx(leakers - others)


def test_cleft_ratios_compare_at_the_same_grade():
    rows = group(0, 4, 10, ("S",), cleft=True, severity="severe")
    rows += group(10, 8, 10, ("S",), severity="severe")
    # Mild fractures without a cleft never leak; they have no counterpart and must not dilute.
    rows += group(20, 0, 80, ("S",), severity="mild")
    assert ESTIMATORS["rr_venous_cleft"](Columns.of(rows, "osteoporotic")) == pytest.approx(0.5)


def test_volume_odds_find_the_odds_ratio_that_made_the_leaks():
    rng = np.random.default_rng(2)
    volumes = rng.uniform(1, 8, 4000)
    leaks = rng.random(4000) < 1 / (1 + np.exp(-(-3.0 + np.log(2.0) * volumes)))
    rows = [
        treated(i, ("D",) if leak else (), volume_ml=float(v), cleft=i % 3 == 0, open_mm2=20.0 * (i % 5 == 0))
        for i, (v, leak) in enumerate(zip(volumes, leaks, strict=True))
    ]
    assert ESTIMATORS["or_volume"](Columns.of(rows, "osteoporotic")) == pytest.approx(2.0, rel=0.08)


def test_a_patient_leaks_when_one_of_its_vertebrae_does():
    rows = [treated(0, ("B",), patient=1), treated(1, patient=1), treated(2, patient=2)]
    assert ESTIMATORS["any_patient"](Columns.of(rows, "osteoporotic")) == 0.5


def test_a_direction_is_inside_only_with_its_whole_interval():
    row = MAIN_ROWS[6]
    assert is_inside(row, Estimate(4.0, 1.2, 9.0, 100))
    assert not is_inside(row, Estimate(4.0, 0.9, 9.0, 100))
    rate = MAIN_ROWS[7]
    assert is_inside(rate, Estimate(0.40, 0.1, 0.9, 100))
    assert not is_inside(rate, Estimate(0.30, 0.1, 0.9, 100))


@pytest.fixture(scope="module")
def table():
    rows = group(0, 40, 60, ("S",)) + group(60, 20, 60, ("D",), viscosity="high", cleft=True, volume_ml=3.0)
    rows += group(120, 20, 50, ("B",), population="metastatic", wall_mm2=30.0, lesion="lytic")
    rows += group(170, 2, 50, ("S",), population="metastatic", lesion="lytic", height_loss=0.0)
    return build(rows, repeats=100)


def test_the_table_counts_its_rows_and_explains_each_miss_by_routes(table):
    inside, asked = score(table)
    assert asked == 10
    assert inside == sum(row.inside for row in table[:10])
    for row in table:
        assert bool(row.why) == (not row.inside)
    miss = next(r for r in table if r.published.key == "any_metastatic")
    assert miss.simulated.value == pytest.approx(0.22)
    assert "0.13 below the published interval" in miss.why and "B 20" in miss.why


def test_the_wall_row_is_inside_when_the_canal_leaks_through_defects(table):
    row = next(r for r in table if r.published.row == 7)
    assert row.inside and row.simulated.low > 1


def test_json_has_no_infinity_and_markdown_names_every_source(table):
    text = json.dumps([row.as_json() for row in table], allow_nan=False)
    assert len(json.loads(text)) == len(table)
    page = markdown(table, "Title")
    for row in table:
        assert all(source.identifier in page for source in row.published.sources)
    assert page.startswith("# Title")


def test_undefined_rows_are_told_and_not_inside():
    rows = build(group(0, 0, 5, ()), repeats=20)
    viscosity = next(r for r in rows if r.published.row == 2)
    assert math.isnan(viscosity.simulated.value) and not viscosity.inside
    assert viscosity.why.startswith("Undefined")
