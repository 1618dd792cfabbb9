"""The instability score by its published table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertseg.labels import VERTEBRA_LEVELS, level_number
from vertseg.planning.alignment import Alignment
from vertseg.planning.collapse import Collapse
from vertseg.planning.lesion import LesionExtent
from vertseg.planning.sins import location, sins, stability

L1 = level_number("L1")
STRAIGHT = Alignment(wedge_deg=3.0, slip_below_mm=0.5, slip_above_mm=-0.5)


def lesion(kind: str = "lytic", share: float = 0.2, right: float = 0.0, left: float = 0.0) -> LesionExtent:
    return LesionExtent(
        kind,
        5.0,
        0.0,
        lytic_share=share,
        sclerotic_share=0.0,
        right_pedicle_share=right,
        left_pedicle_share=left,
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("points", "names"),
    [
        (3, ("C1", "C2", "C7", "T1", "T2", "T11", "T12", "T13", "L1", "L5", "L6")),
        (2, ("C3", "C4", "C5", "C6", "L2", "L3", "L4")),
        (1, ("T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10")),
    ],
)
def test_location(points: int, names: tuple[str, ...]) -> None:
    assert {(location(level_number(n)).low, location(level_number(n)).high) for n in names} == {
        (points, points)
    }


def test_the_least_and_the_most() -> None:
    least = sins(level_number("T6"), lesion("sclerotic"), Collapse(loss_percent=0.0), STRAIGHT, "none")
    assert (least.low, least.high, least.stability_high) == (1, 1, "stable")
    slipped = Alignment(wedge_deg=3.0, slip_below_mm=6.0, slip_above_mm=0.0)
    most = sins(L1, lesion("lytic", 0.8, 0.5, 0.5), Collapse(loss_percent=60.0), slipped, "mechanical")
    assert (most.low, most.high, most.stability_low) == (18, 18, "unstable")


def test_pain_that_is_not_known_leaves_a_range() -> None:
    found = sins(L1, lesion(right=0.4), Collapse(loss_percent=30.0), STRAIGHT)
    # Junctional 3, lytic 2, aligned 0, collapse under half 2, one side 1.
    assert (found.low, found.high) == (8, 11)
    assert found.pain.finding == "unknown"
    assert found.stability_low == found.stability_high == "potentially_unstable"
    assert sins(L1, lesion(right=0.4), Collapse(loss_percent=30.0), STRAIGHT, "occasional").low == 9


@pytest.mark.parametrize(
    ("loss", "share", "points"),
    [(60.0, 0.1, 3), (50.0, 0.1, 2), (20.0, 0.1, 2), (10.0, 0.6, 1), (10.0, 0.5, 0)],
)
def test_collapse(loss: float, share: float, points: int) -> None:
    found = sins(L1, lesion(share=share), Collapse(loss_percent=loss), STRAIGHT).collapse
    assert (found.low, found.high) == (points, points)


def test_kyphosis_may_be_new_or_old() -> None:
    bent = Alignment(wedge_deg=20.0, slip_below_mm=0.0, slip_above_mm=0.0)
    found = sins(L1, lesion(), Collapse(loss_percent=0.0), bent).alignment
    assert (found.low, found.high, found.finding) == (0, 2, "deformity_possible")


def test_what_is_not_seen_widens_the_range() -> None:
    found = sins(L1, LesionExtent("lytic", 5.0, 0.0), Collapse(), Alignment())
    assert (found.alignment.low, found.alignment.high) == (0, 4)
    assert (found.collapse.low, found.collapse.high) == (0, 3)
    assert (found.posterolateral.low, found.posterolateral.high) == (0, 3)


def test_without_a_lesion_it_does_not_apply() -> None:
    assert not sins(L1, LesionExtent("none", 0.0, 0.0), Collapse(), STRAIGHT).applicable
    assert sins(L1, lesion(), Collapse(), STRAIGHT).applicable


def test_classes() -> None:
    assert [stability(n) for n in (0, 6, 7, 12, 13, 18)] == [
        "stable", "stable", "potentially_unstable", "potentially_unstable", "unstable", "unstable",
    ]  # fmt: skip


@given(
    st.sampled_from(VERTEBRA_LEVELS), st.sampled_from(["lytic", "mixed", "sclerotic"]), st.floats(0, 1),
    st.one_of(st.none(), st.floats(0, 100)), st.sampled_from([None, "mechanical", "occasional", "none"]),
)  # fmt: skip
def test_total_is_always_within_the_score(
    level: int, kind: str, share: float, loss: float | None, pain: str
) -> None:
    found = sins(level, lesion(kind, share), Collapse(loss_percent=loss), STRAIGHT, pain)  # type: ignore[arg-type]
    assert 0 <= found.low <= found.high <= 18
