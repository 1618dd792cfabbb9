"""Cement volumes of drawn bodies."""

from dataclasses import replace

import numpy as np
import pytest

from tests.planning.drawn_vertebra import drawn, places
from vertseg.planning.cement_volume import CAP_ML, FILLABLE_CAP, SUGGESTED_FILL, cement_volume
from vertseg.planning.upright import UprightVertebra

X, Y, Z = places()


def ball(radius_mm: float, level: int = 22, **masks: np.ndarray) -> UprightVertebra:
    vertebra = drawn(level=level, **masks)
    return replace(vertebra, body=radius_mm**2 >= X**2 + Y**2 + Z**2)


def sphere_ml(radius_mm: float) -> float:
    return 4 / 3 * np.pi * radius_mm**3 / 1000


def test_marrow_space_of_a_ball() -> None:
    found = cement_volume(ball(18.0))
    assert found is not None
    assert found.body_ml == pytest.approx(sphere_ml(18.0), rel=0.01)
    assert found.fillable_ml == pytest.approx(sphere_ml(17.0), rel=0.03)
    assert found.cement_ml == found.lesion_ml == 0.0


def test_range_is_the_share_of_the_body() -> None:
    found = cement_volume(ball(18.0))
    assert found is not None and found.suggested_ml is not None
    assert found.suggested_ml == pytest.approx([s * sphere_ml(18.0) for s in SUGGESTED_FILL], abs=0.1)
    assert "Molloy" in found.source and found.remarks == ()


def test_cement_that_is_there_is_taken_off() -> None:
    cement = X**2 + Y**2 + Z**2 <= 7.0**2
    before, after = cement_volume(ball(18.0)), cement_volume(ball(18.0, cement=cement))
    assert before is not None and after is not None
    assert after.cement_ml == pytest.approx(sphere_ml(7.0), rel=0.03)
    assert before.fillable_ml - after.fillable_ml == pytest.approx(after.cement_ml, abs=0.02)
    assert before.suggested_ml is not None and after.suggested_ml is not None
    assert before.suggested_ml[1] - after.suggested_ml[1] == pytest.approx(after.cement_ml, abs=0.11)


def test_a_filled_body_gets_no_more() -> None:
    found = cement_volume(ball(18.0, cement=X**2 + Y**2 + Z**2 <= 12.0**2))
    assert found is not None and found.suggested_ml is None
    assert found.remarks[-1].code == "nothing_more"


def test_a_large_body_is_capped_by_its_region() -> None:
    lumbar, thoracic = cement_volume(ball(23.0)), cement_volume(ball(23.0, level=15))
    assert lumbar is not None and thoracic is not None
    assert lumbar.suggested_ml is not None and thoracic.suggested_ml is not None
    assert lumbar.suggested_ml[1] == CAP_ML["lumbar"] and thoracic.suggested_ml[1] == CAP_ML["thoracic"]
    assert [r.code for r in lumbar.remarks] == ["capped"]


def test_a_lesion_lifts_the_range_within_the_caps() -> None:
    lesion = X**2 + Y**2 + Z**2 <= 11.0**2
    found = cement_volume(ball(18.0, lytic_lesion=lesion))
    assert found is not None and found.suggested_ml is not None
    assert found.lesion_ml == pytest.approx(sphere_ml(11.0), rel=0.02)
    assert found.suggested_ml[1] == pytest.approx(found.lesion_ml, abs=0.06)
    assert found.suggested_ml[1] < FILLABLE_CAP * found.fillable_ml
    assert [r.code for r in found.remarks] == ["lesion_exceeds_range"]


def test_a_lesion_at_the_surface_has_no_cortex_to_spare() -> None:
    whole = cement_volume(ball(18.0))
    open_side = cement_volume(ball(18.0, lytic_lesion=X > 8))
    assert whole is not None and open_side is not None
    assert open_side.fillable_ml > whole.fillable_ml + 0.3


def test_no_body_no_volume() -> None:
    vertebra = drawn()
    vertebra.body[:] = False
    assert cement_volume(vertebra) is None
