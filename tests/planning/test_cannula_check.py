"""Cannulas painted into scans: where they lie, and what is not taken for one."""

import numpy as np
import pytest
from scipy import ndimage

from tests.planning.drawn_vertebra import drawn
from vertseg.phantom import ScanConfig, render_scan
from vertseg.planning.cannula_check import CannulaCheck, check_cannulas
from vertseg.planning.cannula_metal import find_cannulas
from vertseg.planning.corridor import Corridor, plan_corridors
from vertseg.volume import Volume

SPACING_MM = np.array([0.9, 0.9, 1.5])
SHAPE = (130, 150, 60)
STEEL_HU = 9000.0


def scan_of(noise_hu: float = 15.0) -> tuple[np.ndarray, np.ndarray]:
    """A block of soft tissue with a body of bone and air behind it, and its affine."""
    hu = np.full(SHAPE, 40.0)
    hu[:, :30] = -1000.0
    hu[40:90, 100:140, 15:45] = 250.0
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-60.0, -80.0, 100.0)
    return hu + np.random.default_rng(3).normal(0, noise_hu, SHAPE), affine


def rod(
    affine: np.ndarray, tip: np.ndarray, tail: np.ndarray, diameter_mm: float, shape: tuple[int, ...] = SHAPE
) -> np.ndarray:
    """Share of each voxel that a cylinder fills, by distance to its axis."""
    at = np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    axis = (tail - tip) / np.linalg.norm(tail - tip)
    along = (at - tip) @ axis
    off = np.linalg.norm(at - tip - np.clip(along, 0, np.linalg.norm(tail - tip))[..., None] * axis, axis=-1)
    inside = (along > 0) & (along < np.linalg.norm(tail - tip))
    return np.clip(diameter_mm / 2 - off + 0.5, 0, 1) * inside


def scanned(hu: np.ndarray, affine: np.ndarray, shares: list[np.ndarray], blur_mm: float = 0.8) -> Volume:
    """The painted rods through a scanner: blurred, and cut off at 3071 HU."""
    for share in shares:
        hu = hu * (1 - share) + STEEL_HU * share
    blurred = ndimage.gaussian_filter(hu, blur_mm / SPACING_MM)
    return Volume(np.clip(blurred, -1024, 3071).astype(np.float32), affine)


TIP, TAIL = np.array([4.0, 25.0, 143.0]), np.array([-32.0, -72.0, 152.0])


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))


@pytest.mark.parametrize("axcodes", ["RAS", "LPS", "SRA"])
def test_a_cannula_is_found_where_it_was_painted(axcodes: str) -> None:
    hu, affine = scan_of()
    scan = scanned(hu, affine, [rod(affine, TIP, TAIL, 3.0)]).oriented(axcodes)
    (found,) = find_cannulas(scan)
    assert angle_deg(np.array(found.direction), TIP - TAIL) < 0.5
    assert np.linalg.norm(np.array(found.tip_mm) - TIP) < 1.5
    assert found.length_mm == pytest.approx(np.linalg.norm(TIP - TAIL), abs=3.0)
    assert 2.0 < found.diameter_mm < 5.5


def test_streaks_and_cement_do_not_turn_it() -> None:
    hu, affine = scan_of()
    at = np.moveaxis(np.indices(SHAPE), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    for k in range(6):
        slope = np.tan(np.radians(20 + 25 * k))
        streak = np.abs(at[..., 1] - 10 - slope * at[..., 0]) < 0.8
        hu = hu + np.where(streak & (np.abs(at[..., 2] - 146) < 2), 2600.0 * (-1) ** k, 0.0)
    cement = np.linalg.norm((at - (12, 28, 140)) / (9, 7, 8), axis=-1) < 1
    hu = np.where(cement, 2300.0, hu)
    scan = scanned(hu, affine, [rod(affine, TIP, TAIL, 3.0)])
    found = find_cannulas(scan)[0]
    assert angle_deg(np.array(found.direction), TIP - TAIL) < 1.0
    assert np.linalg.norm(np.array(found.tip_mm) - TIP) < 4.0


def test_screws_and_cement_are_no_cannulas() -> None:
    hu, affine = scan_of()
    screw = rod(affine, np.array([10.0, 25.0, 140.0]), np.array([22.0, -18.0, 143.0]), 6.0)
    at = np.moveaxis(np.indices(SHAPE), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    hu = np.where(np.linalg.norm(at - (-5, 25, 140), axis=-1) < 9, 2600.0, hu)
    assert find_cannulas(scanned(hu, affine, [screw])) == ()


def test_no_metal_no_cannula() -> None:
    hu, affine = scan_of()
    assert find_cannulas(Volume(hu.astype(np.float32), affine)) == ()


def test_two_cannulas_whose_tips_nearly_meet() -> None:
    hu, affine = scan_of()
    other_tip, other_tail = np.array([9.0, 26.0, 141.0]), np.array([45.0, -70.0, 150.0])
    shares = [rod(affine, TIP, TAIL, 3.0), rod(affine, other_tip, other_tail, 3.0)]
    found = find_cannulas(scanned(hu, affine, shares))
    assert len(found) == 2
    for truth in (TIP - TAIL, other_tip - other_tail):
        assert min(angle_deg(np.array(c.direction), truth) for c in found) < 1.0


@pytest.mark.slow
def test_a_cannula_in_a_phantom() -> None:
    scan = render_scan(900_004, ScanConfig(field="lumbar", spacing_mm=(1.0, 1.0, 2.0), pathology=0.0))
    truth = next(v for v in scan.vertebrae if v.level == 22)
    affine, shape = scan.hu.affine, scan.hu.array.shape
    tip = truth.centroid_mm + truth.axes @ np.array([3.0, 6.0, 0.0])
    way = truth.axes @ np.array([-np.sin(0.35), np.cos(0.35), -0.1])
    way /= np.linalg.norm(way)
    share = rod(affine, tip, tip - 150.0 * way, 3.0, shape)
    hu = scan.hu.array * (1 - share) + STEEL_HU * share
    blurred = ndimage.gaussian_filter(hu, 0.7 / np.array(scan.hu.grid.spacing_mm))
    found = find_cannulas(Volume(np.clip(blurred, -1024, 3071).astype(np.float32), affine))[0]
    assert angle_deg(np.array(found.direction), way) < 0.5
    assert np.linalg.norm(np.array(found.tip_mm) - tip) < 2.0


def planned() -> tuple[Corridor, ...]:
    return plan_corridors(drawn(toe_deg=20.0, centre_mm=(0.0, 20.0, 145.0)))


def checked(turn_deg: float, deeper_mm: float) -> tuple[Corridor, CannulaCheck]:
    """A cannula along the first plan, turned about its entry and pushed too far."""
    vertebra = drawn(toe_deg=20.0, centre_mm=(0.0, 20.0, 145.0))
    plans = planned()
    entry, target = np.array(plans[0].entry_bone_mm), np.array(plans[0].target_mm)
    way = (target - entry) / np.linalg.norm(target - entry)
    aside = np.cross(way, [0.0, 0.0, 1.0])
    aside /= np.linalg.norm(aside)
    turned = np.cos(np.radians(turn_deg)) * way + np.sin(np.radians(turn_deg)) * aside
    tip = entry + turned * (np.linalg.norm(target - entry) + deeper_mm)
    hu, affine = scan_of()
    scan = scanned(hu, affine, [rod(affine, tip, entry - 60.0 * turned, 3.0)])
    (check,) = check_cannulas(scan, [vertebra], plans)
    return plans[0], check


@pytest.mark.parametrize(("turn", "deeper"), [(0.0, 0.0), (5.0, 0.0), (0.0, 6.0), (4.0, -8.0)])
def test_deviation_from_the_plan(turn: float, deeper: float) -> None:
    plan, check = checked(turn, deeper)
    found = check.deviation
    assert found is not None and plan.bone_to_target_mm is not None
    assert found.angle_deg == pytest.approx(turn, abs=1.0)
    assert found.entry_mm < 1.2
    reach = plan.bone_to_target_mm + deeper
    assert found.tip_depth_mm == pytest.approx(
        reach * np.cos(np.radians(turn)) - plan.bone_to_target_mm, abs=1.5
    )
    assert found.tip_aside_mm == pytest.approx(reach * np.sin(np.radians(turn)), abs=1.5)


def test_place_of_the_tip() -> None:
    _, there = checked(0.0, 0.0)
    assert (there.place.level, there.place.part, there.place.third) == (22, "body", "anterior")
    assert there.place.canal_mm is not None and there.place.canal_mm > 1.0
    assert there.place.to_anterior_mm is not None and there.place.to_posterior_wall_mm is not None
    assert there.place.to_anterior_mm < there.place.to_posterior_wall_mm
    _, short = checked(0.0, -16.0)
    assert short.place.third in ("middle", "posterior")


def test_no_plan_no_deviation_and_no_vertebra_no_place() -> None:
    hu, affine = scan_of()
    (check,) = check_cannulas(scanned(hu, affine, [rod(affine, TIP, TAIL, 3.0)]))
    assert check.deviation is None
    assert check.place.level is None and check.place.part == "outside"
