"""Cement of known volume and place, drawn into and around plain vertebrae."""

import itertools
import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.planning.drawn_cement import Drawn, Tube, ball, draw, tube
from vertseg.cement import parameters
from vertseg.inference.findings import Findings
from vertseg.labels import LEAK_ROUTES, Tissue, level_number
from vertseg.planning.cement_spread import LEAK_THRESHOLD_ML, CementSpread, cement_spread
from vertseg.volume import Volume

L1, L2, L3 = (level_number(n) for n in ("L1", "L2", "L3"))
DEPOSIT = ball((0, 2, 0), 9.0)
CANAL = tube(1.8, (0, -5, 0), (0, -18.2, 0), (3, -18.2, 12))
DISC = tube(1.8, (5, 0, 6), (5, 0, 16.5), (14, 3, 17))
RING = [(24.6 * math.cos(t), 18.6 * math.sin(t), 1.0) for t in np.radians([0, 20, 40, 60, 75])]
VEIN = tube(1.6, (6, 2, 0), *RING)
BLOB = ball((26.5, 4, 2), 4.5)
NECK = tube(1.5, (6, 2, 0), (26, 4, 2))
TRACK = tube(1.4, (6, 2, 0), (14, -18, 5), (24, -52, 8))


def only(drawn: Drawn, level: int = L2) -> CementSpread:
    found = cement_spread(drawn.findings, drawn.scan)
    assert list(found) == [level]
    return found[level]


def test_threshold_is_the_simulator_s() -> None:
    assert LEAK_THRESHOLD_ML == parameters.LEAK_THRESHOLD_ML


def test_ball_in_the_body_has_its_volume_and_share() -> None:
    found = only(draw(DEPOSIT))
    assert found.cement_ml == pytest.approx(4 / 3 * math.pi * 0.9**3, rel=0.02)
    assert found.body_ml == pytest.approx(found.cement_ml)
    body_ml = draw(DEPOSIT).findings.vertebrae[1].measures.body_ml
    assert found.filled_share == pytest.approx(found.cement_ml / body_ml, rel=0.02)
    assert not any(found.leak.values()) and found.leaks == ()
    assert found.canal_narrowing_percent == 0.0 and found.lesion_filled_share is None


@pytest.mark.parametrize(
    ("shape", "compartment", "route"),
    [
        (CANAL, "canal", "B"),
        (tube(2.2, (8, -5, 6), (8, -18.5, 6), (7.5, -18.5, 10)), "canal", "C"),
        (DISC, "disc_above", "D"),
        (tube(1.8, (-5, 0, -6), (-5, 0, -16.5), (4, 3, -17)), "disc_below", "D"),
        (VEIN, "vein", "S"),
        (TRACK, "cannula_track", None),
    ],
)
def test_cast_is_found_where_it_was_drawn(shape: Tube, compartment: str, route: str | None) -> None:
    drawn = draw(DEPOSIT, shape)
    found = only(drawn)
    assert found.cement_ml == pytest.approx(drawn.whole_ml, rel=0.05)
    assert {leak.compartment for leak in found.leaks} == {compartment}
    assert {leak.route for leak in found.leaks} == {route}
    assert found.leaked_ml == pytest.approx(drawn.outside_ml[1], rel=0.2)
    assert found.compartment_ml[compartment] == pytest.approx(found.leaked_ml)
    assert {r for r in LEAK_ROUTES if found.leak[r]} == ({route} if route else set())
    assert found.leak["any"] is (route is not None)


def test_lump_beside_the_body_is_no_vein() -> None:
    found = only(draw(DEPOSIT, NECK, BLOB))
    assert [(k.compartment, k.route) for k in found.leaks] == [("soft_tissue", "C")]
    assert found.leaks[0].reach_mm == pytest.approx(26.5 + 4.5 - 22, abs=1.5)


def test_length_follows_the_cast() -> None:
    arc = sum(math.dist(a, b) for a, b in itertools.pairwise(RING))
    found = only(draw(DEPOSIT, VEIN))
    assert found.leaks[0].length_mm == pytest.approx(arc + 2 * 1.6, rel=0.15)


def test_canal_narrowing_is_the_share_of_its_section() -> None:
    upright = tube(3.0, (0, -5, 0), (0, -19.5, 0), (0, -19.5, 11))
    found = only(draw(DEPOSIT, upright))
    # A round bar of 3 mm in a canal of 20 by 17 mm, taken as a squared-off ellipse (0.927 of the box).
    assert found.canal_narrowing_percent == pytest.approx(100 * math.pi * 9 / (0.927 * 20 * 17), rel=0.25)


def test_cement_through_a_defect_in_the_wall_is_cortical() -> None:
    drawn = draw(DEPOSIT, CANAL)
    defect = drawn.findings.masks["posterior_wall_defect"].array
    x, y, z = np.rint(drawn.scan.grid.voxel((0.0, -15.5, 0.0))).astype(int)
    defect[x - 3 : x + 4, y : y + 2, z - 3 : z + 4] = 1
    assert [k.route for k in only(drawn).leaks] == ["C"]


def test_answer_does_not_depend_on_how_the_scan_lies_or_is_stored() -> None:
    plain = only(draw(DEPOSIT, CANAL, DISC, VEIN))
    turn = Rotation.from_euler("xyz", [12, -8, 20], degrees=True).as_matrix()
    turned = only(draw(DEPOSIT, CANAL, DISC, VEIN, turn=turn))
    drawn = draw(DEPOSIT, CANAL, DISC, VEIN)
    stored = cement_spread(_reordered(drawn.findings), drawn.scan.oriented("LPI"))[L2]
    for other, tolerance in ((turned, 0.12), (stored, 1e-6)):
        assert other.cement_ml == pytest.approx(plain.cement_ml, rel=min(tolerance, 0.02))
        assert other.leak == plain.leak
        for name, ml in plain.compartment_ml.items():
            assert other.compartment_ml[name] == pytest.approx(ml, abs=tolerance * 0.3)


def _reordered(findings: Findings) -> Findings:
    def other(volume: Volume) -> Volume:
        return volume.oriented("ASL")

    masks = {name: other(mask) for name, mask in findings.masks.items()}
    return Findings(
        other(findings.levels), other(findings.tissue), masks, findings.vertebrae, {}, findings.provenance
    )


def test_two_injected_vertebrae_keep_their_own_cement() -> None:
    drawn = draw(ball((0, 2, 0), 9.0), DISC, ball((0, 0, -35), 7.0))
    found = cement_spread(drawn.findings, drawn.scan)
    assert list(found) == [L2, L3]
    assert found[L3].cement_ml == pytest.approx(4 / 3 * math.pi * 0.7**3, rel=0.03)
    assert found[L3].leaks == () and found[L2].leak["D"]


def test_one_disc_filled_from_both_sides_is_shared() -> None:
    below = tube(1.8, (-5, 0, 27), (-5, 0, 18), (4, 0, 17))
    drawn = draw(DEPOSIT, DISC, ball((0, 0, 35), 8.0), below)
    found = cement_spread(drawn.findings, drawn.scan)
    assert found[L2].leak["D"] and found[L1].leak["D"]
    assert found[L2].compartment_ml["disc_above"] > 0.05 and found[L1].compartment_ml["disc_below"] > 0.03
    total = sum(f.cement_ml for f in found.values())
    assert total == pytest.approx(drawn.whole_ml, rel=0.05)


def test_disc_leak_into_the_next_body_stays_with_the_injected_one() -> None:
    drawn = draw(DEPOSIT, tube(1.5, (5, 0, 6), (5, 0, 25)))
    found = only(drawn)
    assert [k.compartment for k in found.leaks] == ["disc_above"]


def test_metal_is_no_cement_and_is_warned_of() -> None:
    screw = tube(2.5, (-14, -30, 4), (-10, 6, 4))
    alone, beside = only(draw(DEPOSIT)), only(draw(DEPOSIT, extra=screw))
    assert alone.warnings == () and "Metal" in beside.warnings[0]
    assert beside.cement_ml == pytest.approx(alone.cement_ml, rel=0.1)


def test_nothing_dense_is_no_cement() -> None:
    bone = draw(DEPOSIT, cement_hu=500.0)
    assert cement_spread(bone.findings, bone.scan) == {}
    empty = draw()
    assert cement_spread(empty.findings, empty.scan) == {}


def test_filled_share_of_a_lesion_that_was_there_before() -> None:
    drawn = draw(DEPOSIT)
    points = drawn.scan.grid.world(np.moveaxis(np.indices(drawn.scan.array.shape), 0, -1))
    half = drawn.scan.with_array(
        (ball((0, 2, 0), 9.0).inside(points) & (points[..., 0] > 0)).astype(np.uint8)
    )
    elsewhere = drawn.scan.with_array(ball((0, -8, -8), 4.0).inside(points).astype(np.uint8))
    filled = cement_spread(drawn.findings, drawn.scan, {L2: half})[L2].lesion_filled_share
    missed = cement_spread(drawn.findings, drawn.scan, {L2: elsewhere})[L2].lesion_filled_share
    assert filled == pytest.approx(1.0, abs=0.06) and missed == pytest.approx(0.0, abs=0.06)


def test_casts_that_a_network_takes_for_bone_are_leaks_all_the_same() -> None:
    drawn = draw(DEPOSIT, CANAL, VEIN)
    plain = only(drawn)
    cement = drawn.findings.cement.array > 0
    level, tissue = drawn.findings.levels.array, drawn.findings.tissue.array
    # The canal's cast is labelled as posterior elements and the vein's as body.
    points = drawn.scan.grid.world(np.moveaxis(np.indices(level.shape), 0, -1))
    loose = cement & (level == 0)
    tissue[loose] = np.where(CANAL.inside(points)[loose], Tissue.POSTERIOR, Tissue.BODY)
    level[loose] = L2
    found = only(drawn)
    assert found.leak == plain.leak and found.leak["B"] and found.leak["S"]
    assert found.cement_ml == pytest.approx(plain.cement_ml, rel=0.02)
    for name in ("canal", "vein"):
        assert found.compartment_ml[name] > 0.6 * plain.compartment_ml[name]
