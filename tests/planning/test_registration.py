"""A vertebra of one scan laid upon the same one after a known motion."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("SimpleITK", reason="needs the extra 'followup'")

from vertseg.errors import ConfigError
from vertseg.evaluation.cement_truth import labelled_findings
from vertseg.inference.findings import Findings
from vertseg.labels import level_number
from vertseg.phantom import ScanConfig, render_scan
from vertseg.planning.registration import Registration, check_levels, register
from vertseg.planning.upright import UprightVertebra, upright_vertebra
from vertseg.volume import Volume

MOTION = np.eye(4)
MOTION[:3, :3] = Rotation.from_euler("xyz", [5, -4, 8], degrees=True).as_matrix()
MOTION[:3, 3] = [7.0, -5.0, 11.0]


@lru_cache(maxsize=1)
def before() -> tuple[Findings, Volume]:
    scan = render_scan(900_321, ScanConfig(spacing_mm=(1.8, 1.8, 2.0), appearance=0.3, pathology=0.0))
    return labelled_findings(scan), scan.hu


@lru_cache(maxsize=1)
def after() -> tuple[Findings, Volume]:
    """The same moved by `MOTION`, on another grid with other noise; poses are known with the error of a network."""
    findings, hu = before()
    rng = np.random.default_rng(4)
    grid = Volume(hu.array, MOTION @ hu.affine).grid.covering(1.7)

    def moved(volume: Volume, order: int, fill: float) -> Volume:
        return Volume(volume.array, MOTION @ volume.affine).resampled_to(grid, order, fill)  # type: ignore[arg-type]

    turn = MOTION[:3, :3]
    vertebrae = []
    for v in findings.vertebrae:
        centre = turn @ np.array(v.centroid_mm) + MOTION[:3, 3] + rng.normal(0, 1.2, 3)
        tilt = Rotation.from_rotvec(rng.normal(0, 0.05, 3)).as_matrix()
        vertebrae.append(replace(v, centroid_mm=tuple(centre), axes=turn @ tilt @ v.axes))
    scan = moved(hu, 1, -1000.0)
    noisy = scan.with_array(scan.array + rng.normal(0, 15, scan.array.shape).astype(np.float32))
    masks = {name: moved(mask, 0, 0) for name, mask in findings.masks.items()}
    return replace(
        findings, levels=moved(findings.levels, 0, 0), tissue=moved(findings.tissue, 0, 0), masks=masks,
        vertebrae=tuple(vertebrae),
    ), noisy  # fmt: skip


def vertebra(which: tuple[Findings, Volume], name: str) -> UprightVertebra:
    findings, scan = which
    place = [v.level for v in findings.vertebrae].index(level_number(name))
    return upright_vertebra(findings, scan, place)


def error(found: Registration, point: np.ndarray) -> tuple[float, float]:
    """Distance in mm at a point, and angle in degrees, between a motion and `MOTION`."""
    rest = np.linalg.inv(MOTION) @ found.matrix
    angle = np.degrees(np.linalg.norm(Rotation.from_matrix(rest[:3, :3]).as_rotvec()))
    return float(np.linalg.norm((rest @ np.append(point, 1.0))[:3] - point)), float(angle)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["L1", "L3"])
def test_known_motion_is_found(name: str) -> None:
    first = vertebra(before(), name)
    found = register(first, vertebra(after(), name))
    distance_mm, angle_deg = error(found, first.centre_mm)
    assert distance_mm < 0.5 and angle_deg < 0.5
    assert found.good and found.correlation > 0.9 and found.dice > 0.85
    assert found.rotation_deg == pytest.approx(10.3, abs=0.6)


@pytest.mark.slow
def test_next_level_is_no_match() -> None:
    found = register(vertebra(before(), "L2"), vertebra(after(), "L3"))
    assert not found.good


@pytest.mark.slow
def test_cement_does_not_pull_the_registration() -> None:
    first, second = vertebra(before(), "L2"), vertebra(after(), "L2")
    index = np.moveaxis(np.indices(second.hu.shape), 0, -1) - second.centre_vox
    deposit = np.linalg.norm(index - [6.0, 4.0, 2.0], axis=-1) < 9.0
    hu = np.where(deposit, 2200.0, second.hu).astype(np.float32)
    treated = replace(second, hu=hu, masks={**second.masks, "cement": deposit & second.body})
    distance_mm, angle_deg = error(register(first, treated), first.centre_mm)
    assert distance_mm < 1.0 and angle_deg < 1.0


@pytest.mark.slow
def test_levels_named_apart_are_refused() -> None:
    first = {n: vertebra(before(), name) for n, name in ((21, "L2"),)}
    second = {v.level: v for v in (vertebra(after(), n) for n in ("L1", "L2", "L3"))}
    check_levels(first, second)
    shifted = {n + 1: replace(v, level=n + 1) for n, v in second.items()}
    with pytest.raises(ConfigError, match="looks like"):
        check_levels(first, shifted)


def test_scans_without_a_common_level_are_refused() -> None:
    first, second = vertebra(before(), "L1"), vertebra(before(), "L3")
    with pytest.raises(ConfigError, match="no vertebra in common"):
        check_levels({first.level: first}, {second.level: second})
