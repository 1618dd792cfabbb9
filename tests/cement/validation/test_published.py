"""The published records against the numbers of their sources, and their consistency."""

import math

import pytest

from vertseg.cement.validation.estimators import ESTIMATORS
from vertseg.cement.validation.published import FURTHER_ROWS, MAIN_ROWS, NOT_SIMULATED

ALL = (*MAIN_ROWS, *FURTHER_ROWS, *NOT_SIMULATED)


def by_key(key):
    return next(p for p in ALL if p.key == key)


def test_the_issue_has_ten_rows_in_order():
    assert [p.row for p in MAIN_ROWS] == list(range(1, 11))
    assert not any(p.row for p in (*FURTHER_ROWS, *NOT_SIMULATED))


def test_every_compared_row_has_an_estimator_and_no_estimator_is_idle():
    assert {p.key for p in (*MAIN_ROWS, *FURTHER_ROWS)} == set(ESTIMATORS)


@pytest.mark.parametrize("record", ALL, ids=lambda p: f"{p.key}-{p.interval[:8]}")
def test_values_lie_in_their_intervals_and_say_where_they_were_read(record):
    assert record.low < record.high
    if record.value is not None:
        assert record.low <= record.value <= record.high
    assert record.verified and record.sources and all(s.identifier for s in record.sources)
    if record.measure == "rate":
        assert record.low >= 0 and record.high <= 1


def test_cleft_study_counts_give_its_percentages():
    # Counts were rebuilt from percentages of 139; the text of the row prints them again.
    assert "37.4 % against 67.6 %" in by_key("rr_venous_cleft").statistic
    assert "40.3 % against 16.5 %" in by_key("rr_cortical_cleft").statistic
    for key, text in (("rr_B_cleft", "20.9 % against 31.7 %"), ("rr_S_cleft", "24.5 % against 52.5 %"),
                      ("rr_C_cleft", "25.9 % against 12.2 %"), ("rr_D_cleft", "16.5 % against 6.5 %")):  # fmt: skip
        assert text in by_key(key).statistic


def test_interval_of_vertos_ii_venous_leaks_holds_for_all_eighty_vertebrae():
    venous = by_key("venous_osteoporotic")
    assert venous.value == pytest.approx(0.70) and venous.vertebrae == 80


def test_pooled_metastatic_rates_are_sums_of_the_series():
    assert by_key("any_metastatic").value == pytest.approx((185 + 64 + 43) / (530 + 113 + 81))
    assert by_key("canal_metastatic").value == pytest.approx((37 + 18) / (530 + 113))


def test_posterior_wall_row_asks_for_a_direction_only():
    row = by_key("or_canal_wall_defect")
    assert row.value is None and row.low == 1 and math.isinf(row.high)
