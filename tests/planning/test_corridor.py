"""Corridors of drawn vertebrae whose pedicles are known."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.planning.drawn_vertebra import WALL_MM, drawn, places
from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.labels import Tissue
from vertseg.planning.corridor import Corridor, plan_corridors
from vertseg.planning.corridor_picture import draw_corridors
from vertseg.planning.gauges import BONE_MARGIN_MM, GAUGES, largest_gauge
from vertseg.planning.measures import Measures
from vertseg.planning.skin import skin_entry
from vertseg.planning.upright import UprightVertebra, upright_vertebra
from vertseg.volume import Volume


def by_side(corridors: tuple[Corridor, ...], kind: str = "transpedicular") -> dict[str, Corridor]:
    return {c.side: c for c in corridors if c.kind == kind}


def test_a_gauge_leaves_its_margin() -> None:
    assert largest_gauge(3.2) == GAUGES[0]
    found = largest_gauge(2.3)
    assert found is not None and found.name == "13G"
    assert largest_gauge(GAUGES[-1].outer_mm / 2 + BONE_MARGIN_MM - 0.01) is None


def test_distances_add_up_to_the_pedicle() -> None:
    for corridor in by_side(plan_corridors(drawn(pedicle_mm=9.0))).values():
        assert corridor.feasible and corridor.gauge == "8G"
        assert corridor.clearance is not None and corridor.diameter_mm is not None
        assert corridor.pedicle_width_mm == pytest.approx(9.0, abs=1.0)
        assert corridor.clearance.canal_mm >= BONE_MARGIN_MM
        assert corridor.clearance.lateral_mm is not None and corridor.clearance.lateral_mm >= BONE_MARGIN_MM
        total = corridor.clearance.canal_mm + corridor.clearance.lateral_mm + corridor.diameter_mm
        assert total <= 9.0 + 1.0


@pytest.mark.parametrize("toe", [10.0, 20.0, 30.0])
def test_way_follows_a_narrow_pedicle(toe: float) -> None:
    found = by_side(plan_corridors(drawn(pedicle_mm=6.0, toe_deg=toe)))
    for corridor in found.values():
        assert corridor.feasible
        assert corridor.angles is not None and corridor.clearance is not None
        assert corridor.angles.medial_deg == pytest.approx(toe, abs=6.0)
        assert abs(corridor.angles.cranial_deg) < 12.0
        assert corridor.diameter_mm is not None
        assert corridor.diameter_mm + 2 * BONE_MARGIN_MM <= 6.0 + 0.5


def test_tip_lies_in_the_anterior_third_on_its_side() -> None:
    vertebra = drawn()
    for side, corridor in by_side(plan_corridors(vertebra)).items():
        right, front, _ = vertebra.axes.T @ (np.array(corridor.target_mm) - vertebra.centre_mm)
        assert front > -16 + 2 / 3 * 32 - 1.0
        assert corridor.target_in == "anterior_third"
        sign = 1 if side == "right" else -1
        assert -4 < sign * right < 18
        entry = vertebra.axes.T @ (np.array(corridor.entry_bone_mm) - vertebra.centre_mm)
        assert sign * entry[0] > 10 and entry[1] < WALL_MM - 10


def test_a_narrow_pedicle_is_refused_with_its_width() -> None:
    for corridor in by_side(plan_corridors(drawn(pedicle_mm=3.0))).values():
        assert not corridor.feasible and corridor.gauge is None
        assert corridor.reason is not None and corridor.reason.code == "pedicle_too_narrow"
        assert corridor.reason.values["pedicle_mm"] == pytest.approx(3.0, abs=1.0)
        assert "15G" in corridor.reason.sentence


def test_a_missing_pedicle_is_said() -> None:
    vertebra = drawn()
    vertebra.posterior[places()[0] < 0] = False
    found = by_side(plan_corridors(vertebra))
    assert found["left"].reason is not None and found["left"].reason.code == "pedicle_not_seen"
    assert found["right"].feasible


def test_a_flat_body_is_refused() -> None:
    for corridor in plan_corridors(drawn(half_height_mm=1.0)):
        assert not corridor.feasible
        assert corridor.reason is not None and corridor.reason.code == "body_too_flat"


def test_cervical_levels_are_refused_with_a_reason() -> None:
    found = plan_corridors(drawn(level=5))
    assert len(found) == 2
    assert all(c.reason is not None and c.reason.code == "cervical" for c in found)


@pytest.mark.parametrize(("level", "count"), [(11, 4), (19, 4), (10, 2), (20, 2), (24, 2)])
def test_ways_beside_the_pedicle_from_t4_to_t12(level: int, count: int) -> None:
    assert len(plan_corridors(drawn(level=level))) == count


def test_feasible_ones_come_first_and_by_score() -> None:
    vertebra = drawn(pedicle_mm=9.0, level=15)
    scores = [c.score for c in plan_corridors(vertebra) if c.feasible]
    assert scores == sorted(scores, key=lambda s: -(s or 0.0))
    flags = [c.feasible for c in plan_corridors(drawn(pedicle_mm=3.0, level=15))]
    assert flags == sorted(flags, reverse=True)


def mirrored(vertebra: UprightVertebra) -> UprightVertebra:
    return replace(
        vertebra,
        **{name: getattr(vertebra, name)[::-1] for name in ("hu", "body", "posterior", "levels")},
        masks={name: mask[::-1] for name, mask in vertebra.masks.items()},
    )


def test_a_mirrored_vertebra_has_mirrored_corridors() -> None:
    vertebra = drawn(pedicle_mm=7.0, toe_deg=20.0)
    x = places()[0]
    vertebra.posterior[(x > 19) & (places()[2] > 3)] = False
    here, there = by_side(plan_corridors(vertebra)), by_side(plan_corridors(mirrored(vertebra)))
    for side, other in (("left", "right"), ("right", "left")):
        assert here[side].feasible == there[other].feasible
        assert here[side].gauge == there[other].gauge
        assert here[side].score == pytest.approx(there[other].score, abs=0.25)


@pytest.mark.parametrize("angles", [(0, 0, 0), (15, -8, 20)])
def test_angles_in_both_frames(angles: tuple[int, int, int]) -> None:
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    here = by_side(plan_corridors(drawn(toe_deg=20.0)))["right"]
    turned = by_side(plan_corridors(drawn(toe_deg=20.0, axes=axes)))["right"]
    assert here.angles is not None and turned.angles is not None
    assert turned.angles.medial_deg == pytest.approx(here.angles.medial_deg, abs=0.2)
    assert here.angles.scanner_medial_deg == pytest.approx(here.angles.medial_deg, abs=0.2)
    way = np.array(turned.target_mm) - np.array(turned.entry_bone_mm)
    assert turned.angles.scanner_medial_deg == pytest.approx(np.degrees(np.arctan2(-way[0], way[1])), abs=0.3)
    assert turned.angles.scanner_cranial_deg == pytest.approx(np.degrees(np.arctan2(way[2], way[1])), abs=0.3)


def test_a_lesion_draws_the_tip() -> None:
    x, y, z = places()
    lesion = (x - 6) ** 2 + (y - 2) ** 2 + (z + 2) ** 2 < 7.5**2
    vertebra = drawn(lytic_lesion=lesion)
    for corridor in by_side(plan_corridors(vertebra)).values():
        assert corridor.target_in == "lesion"
        at = vertebra.axes.T @ (np.array(corridor.target_mm) - vertebra.centre_mm)
        assert np.linalg.norm(at - (6, 2, -2)) < 9.5
    front = plan_corridors(vertebra, target="anterior_third")[0]
    assert front.target_in == "anterior_third"


def test_a_wall_defect_is_measured_and_warned_of() -> None:
    x, y, z = places()
    defect = (np.abs(x - 8) < 3) & (y > WALL_MM) & (y < WALL_MM + 2) & (np.abs(z - 3) < 4)
    found = by_side(plan_corridors(drawn(posterior_wall_defect=defect)))
    near, far = found["right"].clearance, found["left"].clearance
    assert near is not None and far is not None
    assert near.wall_defect_mm is not None and far.wall_defect_mm is not None
    assert near.wall_defect_mm < 4.0 < far.wall_defect_mm
    clear = plan_corridors(drawn())[0].clearance
    assert clear is not None and clear.wall_defect_mm is None


def test_lung_is_kept_away_from() -> None:
    vertebra = drawn(level=15)
    x, y, _ = places()
    vertebra.hu[(np.abs(x) > 34) & (y > -40) & (y < 20)] = -850.0
    for corridor in plan_corridors(vertebra):
        if corridor.feasible:
            assert corridor.clearance is not None and corridor.clearance.lung_mm is not None
            assert corridor.clearance.lung_mm > 3.0


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "SAL"])
def test_skin_is_found_however_the_scan_is_stored(axcodes: str) -> None:
    hu = np.full((100, 120, 60), 40.0, np.float32)
    hu[:, :30] = -1000.0
    affine = np.diag([1.5, 1.0, 2.0, 1.0])
    affine[:3, 3] = (-75, -60, 0)
    scan = Volume(hu, affine).oriented(axcodes)
    outward = np.array([np.sin(0.3), -np.cos(0.3), 0.0])
    found = skin_entry(scan, np.array([0.0, 30.0, 60.0]), outward)
    assert found is not None
    assert found[1] == pytest.approx(-60 + 29.5, abs=1.0)
    assert np.cross(found - (0.0, 30.0, 60.0), outward) == pytest.approx(np.zeros(3), abs=1e-6)


def test_skin_beyond_the_field_is_not_made_up() -> None:
    scan = Volume(np.full((50, 50, 50), 40.0, np.float32), np.eye(4))
    assert skin_entry(scan, np.array([25.0, 25.0, 25.0]), np.array([0.0, -1.0, 0.0])) is None


def test_length_is_the_sum_of_its_parts() -> None:
    vertebra = drawn()
    hu = np.full((200, 200, 100), 40.0, np.float32)
    hu[:, :40] = -1000.0
    affine = np.eye(4)
    affine[:3, 3] = vertebra.centre_mm - (100, 140, 50)
    corridor = plan_corridors(vertebra, Volume(hu, affine))[0]
    assert corridor.entry_skin_mm is not None and corridor.length_mm is not None
    assert corridor.skin_to_bone_mm is not None and corridor.bone_to_target_mm is not None
    assert corridor.length_mm == pytest.approx(corridor.skin_to_bone_mm + corridor.bone_to_target_mm)
    gap = np.array(corridor.entry_skin_mm) - np.array(corridor.target_mm)
    assert np.linalg.norm(gap) == pytest.approx(corridor.length_mm, abs=0.6)
    assert corridor.entry_skin_mm[1] == pytest.approx(vertebra.centre_mm[1] - 100, abs=1.0)


def found_in(vertebra: UprightVertebra, axcodes: str) -> tuple[Findings, Volume]:
    """The drawn vertebra as a prediction and its scan, stored in another order."""

    def stored(values: np.ndarray) -> Volume:
        return Volume(values, vertebra.grid.affine).oriented(axcodes)

    tissue = np.where(vertebra.body, Tissue.BODY, np.where(vertebra.posterior, Tissue.POSTERIOR, 0))
    masks = {name: stored(mask.astype(np.uint8)) for name, mask in vertebra.masks.items()}
    # Off the voxels' middles and corners, so that no share of a voxel is exactly a half.
    x, y, z = (float(c) + 0.3 for c in vertebra.centre_mm)
    centre = (x, y, z)
    measures = Measures(0, 0, 0, 0, 0, 0, None, 0, None, None, None)
    one = VertebraFindings(vertebra.level, 1.0, centre, vertebra.axes, False, measures, {})
    origin = Provenance("drawn", "", {}, {}, {}, "cpu", "none")
    findings = Findings(stored(vertebra.levels), stored(tissue.astype(np.uint8)), masks, (one,), {}, origin)
    return findings, stored(vertebra.hu)


@pytest.mark.parametrize("axcodes", ["LPS", "SAR"])
def test_plans_do_not_depend_on_how_the_scan_is_stored(axcodes: str) -> None:
    vertebra = drawn(pedicle_mm=7.0, toe_deg=15.0)
    plans = [plan_corridors(upright_vertebra(*found_in(vertebra, order), 0)) for order in ("RAS", axcodes)]
    first, second = (by_side(corridors) for corridors in plans)
    for side in ("left", "right"):
        here, there = first[side], second[side]
        assert here.feasible and there.feasible and here.gauge == there.gauge
        # The best ways of so plain a shape are many; rounding decides between them.
        assert here.score == pytest.approx(there.score, abs=0.1)
        assert here.clearance is not None and there.clearance is not None
        assert here.clearance.canal_mm == pytest.approx(there.clearance.canal_mm, abs=0.4)
        assert here.target_mm == pytest.approx(there.target_mm, abs=2.5)


def test_a_picture_is_a_png_with_or_without_a_way() -> None:
    for vertebra in (drawn(), drawn(pedicle_mm=3.0), drawn(level=5)):
        picture = draw_corridors(vertebra, plan_corridors(vertebra))
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", picture[16:24]) == (768, 768)
