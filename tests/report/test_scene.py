"""The reduced scan of the page."""

import gzip
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from vertseg import Volume
from vertseg.inference.findings import Findings
from vertseg.report import scene
from vertseg.report.scene import WINDOW_HU, scene_grid, scene_layers


def opened(nifti: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(nifti))


def test_the_ct_keeps_its_values_and_places(findings: Findings, scan: Volume) -> None:
    ct = opened(next(layer for layer in scene_layers(findings, scan) if layer.name == "ct").nifti)
    low, high = WINDOW_HU
    shown = Volume(np.asarray(ct.get_fdata(), np.float32), ct.affine)
    wanted = scan.resampled_to(shown.grid, 1, -1024.0).array
    np.testing.assert_allclose(shown.array, np.clip(wanted, low, high), atol=0.51 * (high - low) / 255)
    assert ct.get_data_dtype() == np.uint8


def test_levels_lie_where_the_findings_have_them(findings: Findings, scan: Volume) -> None:
    layer = next(one for one in scene_layers(findings, scan) if one.name == "levels")
    levels = opened(layer.nifti)
    shown = Volume(np.asarray(levels.dataobj), levels.affine)
    for vertebra in findings.vertebrae:
        x, y, z = np.rint(shown.grid.voxel(vertebra.centroid_mm)).astype(int)
        assert shown.array[x, y, z] == vertebra.level
        assert layer.colours[vertebra.level][1] == vertebra.name


def test_findings_that_are_not_there_are_no_layers(findings: Findings, scan: Volume) -> None:
    blank = {name: replace_array(mask) for name, mask in findings.masks.items()}
    assert [layer.name for layer in scene_layers(replace(findings, masks=blank), scan)] == ["ct", "levels"]


def replace_array(mask: Volume) -> Volume:
    return mask.with_array(np.zeros_like(mask.array))


def test_the_grid_holds_the_vertebrae_and_keeps_its_size(
    findings: Findings, scan: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene, "MOST_VOXELS", 100_000)
    grid = scene_grid(findings, scan.grid)
    assert np.prod(grid.shape) < 125_000
    for vertebra in findings.vertebrae:
        vox = grid.voxel(vertebra.centroid_mm)
        assert (vox > 0).all() and (vox < np.array(grid.shape) - 1).all()


def test_the_way_a_scan_is_stored_does_not_matter(findings: Findings, scan: Volume) -> None:
    one, other = (scene_layers(findings, scan.oriented(codes))[0].nifti for codes in ("RAS", "PIR"))
    np.testing.assert_allclose(opened(one).get_fdata(), opened(other).get_fdata(), atol=5.1)
    np.testing.assert_allclose(opened(one).affine, opened(other).affine, atol=1e-6)
