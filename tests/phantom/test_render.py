"""Scans and crops: reproducible, labelled where they should be, measures that hold."""

import json
from pathlib import Path

import numpy as np
import pytest

from vertseg.cli import main
from vertseg.io import read_labels, read_scan
from vertseg.labels import FINDINGS, LUMBAR, SACRUM, T13, THORACIC, LocateClass
from vertseg.phantom import PhantomScan, ScanConfig, render_crop, render_scan
from vertseg.phantom.patient.anatomy import column_levels, draw_anatomy
from vertseg.phantom.vertebra.distances import WALL_SHELL_MM

DEMO = ScanConfig(field="lumbar", spacing_mm=(2.5, 2.5, 2.5), case="demo")


@pytest.fixture(scope="module")
def demo() -> PhantomScan:
    return render_scan(5, DEMO)


def test_same_seed_same_scan_and_other_seed_another(demo: PhantomScan) -> None:
    again, other = render_scan(5, DEMO), render_scan(6, DEMO)
    assert np.array_equal(again.hu.array, demo.hu.array)
    assert np.array_equal(again.level.array, demo.level.array)
    assert other.hu.array.shape != demo.hu.array.shape or not np.array_equal(other.hu.array, demo.hu.array)


def test_levels_stand_in_order_with_the_sacrum_below(demo: PhantomScan) -> None:
    heights = [v.centroid_mm[2] for v in demo.vertebrae]
    assert heights == sorted(heights, reverse=True)
    levels = [v.level for v in demo.vertebrae]
    assert levels == sorted(levels)
    sacrum = np.argwhere(demo.level.array == SACRUM).mean(0)
    lowest = np.argwhere(demo.level.array == levels[-1]).mean(0)
    assert sacrum[2] < lowest[2]


def test_body_lies_in_front_of_its_arch_and_centroids_in_the_body(demo: PhantomScan) -> None:
    tissue, level = demo.tissue.array, demo.level.array
    inverse = np.linalg.inv(demo.hu.affine)
    checked = 0
    for v in demo.vertebrae:
        voxels = np.argwhere((level == v.level) & (tissue == LocateClass.BODY))
        if len(voxels) == 0 or voxels[:, 2].max() >= level.shape[2] - 2:
            continue  # cut by the edge of the field
        checked += 1
        body = voxels.mean(0)
        arch = np.argwhere((level == v.level) & (tissue == LocateClass.POSTERIOR)).mean(0)
        assert body[1] > arch[1]
        assert np.linalg.norm(body - (inverse[:3, :3] @ v.centroid_mm + inverse[:3, 3])) < 2.5
        assert np.allclose(v.axes.T @ v.axes, np.eye(3), atol=1e-9)
        assert np.linalg.det(v.axes) == pytest.approx(1.0)
    assert checked >= 5


def test_demo_patient_has_its_two_sick_vertebrae(demo: PhantomScan) -> None:
    by_level = {v.level: v for v in demo.vertebrae}
    assert by_level[LUMBAR[0]].height_loss == 0.5
    l3 = by_level[LUMBAR[2]]
    assert l3.lytic_ml > 1.0
    assert l3.wall_defect_mm2 > 40.0
    assert all(v.lytic_ml == 0 for n, v in by_level.items() if n != LUMBAR[2])


def test_lytic_lesion_is_darker_than_the_spared_bone(demo: PhantomScan) -> None:
    mine = demo.level.array == LUMBAR[2]
    lytic = demo.findings["lytic_lesion"].array > 0
    body = mine & (demo.tissue.array == LocateClass.BODY)
    assert demo.hu.array[lytic].mean() < demo.hu.array[body & ~lytic].mean() - 40


def test_tissues_have_their_attenuation(demo: PhantomScan) -> None:
    hu, tissue = demo.hu.array, demo.tissue.array
    assert hu[tissue == LocateClass.BODY].mean() > 80
    assert np.median(hu[tissue == 0]) < 100
    assert hu[tissue == LocateClass.BODY].mean() > np.percentile(hu[tissue == 0], 80)
    assert hu.min() >= -1024 and hu.max() <= 3071


def test_findings_lie_in_vertebrae_and_wall_defects_behind_the_body() -> None:
    crops = [render_crop(seed, inject=False) for seed in range(40, 52)]
    wall = FINDINGS.index("posterior_wall_defect")
    assert sum(c.findings[wall].any() for c in crops) >= 2
    for crop in crops:
        in_bone = crop.findings[: FINDINGS.index("cement")].astype(bool)  # cement may have leaked
        assert not (in_bone & (crop.tissue == 0)).any()
        if crop.findings[wall].any():
            body = np.argwhere(crop.tissue == 1).mean(0)
            assert np.argwhere(crop.findings[wall]).mean(0)[1] < body[1] - 3


def test_crop_is_upright_and_marked() -> None:
    crop = render_crop(7, inject=False)
    body, arch = np.argwhere(crop.tissue == 1).mean(0), np.argwhere(crop.tissue == 2).mean(0)
    assert body[1] > arch[1] + 8
    inside = crop.marker[crop.tissue > 0].mean()
    assert inside > 0.5 > crop.marker[crop.tissue == 0].mean() + 0.3


def test_transitional_levels_occur_about_as_often_as_stated() -> None:
    columns = [column_levels(np.random.default_rng(s)) for s in range(3000)]
    l6 = np.mean([LUMBAR[-1] in c for c in columns])
    t13 = np.mean([T13 in c for c in columns])
    short = np.mean([THORACIC[-1] not in c for c in columns])
    assert 0.038 < l6 < 0.062
    assert 0.012 < t13 < 0.028
    assert 0.021 < short < 0.039


def test_collapse_brings_the_neighbours_nearer() -> None:
    demo, whole = draw_anatomy(5, DEMO), draw_anatomy(5, ScanConfig(pathology=0.0))

    def gap(anatomy: object) -> float:
        centres = {s.level: s.centre_mm for s in anatomy.vertebrae}  # type: ignore[attr-defined]
        return float(np.linalg.norm(centres[THORACIC[-1]] - centres[LUMBAR[1]]))

    assert gap(demo) < gap(whole) - 4


def test_command_writes_image_labels_and_truth(tmp_path: Path) -> None:
    out = tmp_path / "p.nii.gz"
    assert main(["phantom", "scan", str(out), "--seed", "4", "--spacing", "4,4,4", "--case", "demo"]) == 0
    truth = json.loads((tmp_path / "p.json").read_text())
    level = read_labels(tmp_path / "p_level.nii.gz")
    scan = read_scan(out)
    assert scan.volume.array.shape == level.array.shape
    assert np.allclose(scan.volume.grid.spacing_mm, 4.0)
    assert {v["level"] for v in truth["vertebrae"]} >= {"L1", "L2", "L3", "L4"}
    wall = read_labels(tmp_path / "p_posterior_wall_defect.nii.gz").array
    l3 = next(v for v in truth["vertebrae"] if v["level"] == "L3")
    # The shell is half a voxel thick here, so that the mask tells the area roughly.
    assert l3["wall_defect_mm2"] == pytest.approx(wall.sum() * 64 / WALL_SHELL_MM, rel=0.6)
