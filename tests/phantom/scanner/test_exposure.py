"""How scans are taken: distributions near clinics', poses, fields, crops, the circle, and determinism."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.scanner.acquisition import Acquisition, Quality, acquire, crop_acquisition, draw_quality
from vertseg.phantom.scanner.crop_scan import scan_crop
from vertseg.phantom.scanner.exposure import expose, without_noise
from vertseg.phantom.scanner.kernel import KERNELS
from vertseg.phantom.scanner.view import ODD_POSE_RATE, Outside, draw_pose, draw_slices
from vertseg.phantom.types import ScanConfig
from vertseg.volume import Grid

CROP = Grid((48, 40, 44), np.diag([1.0, 1.0, 1.0, 1.0]))


def test_same_patient_same_scan_and_the_spacing_that_is_asked() -> None:
    config = ScanConfig(field="lumbar", spacing_mm=(2.0, 2.0, 3.0), slice_mm=4.0)
    anatomy = draw_anatomy(4, config)
    first, again = acquire(anatomy, config), acquire(anatomy, config)
    assert np.array_equal(first.grid.affine, again.grid.affine) and first.quality == again.quality
    assert first.grid.spacing_mm == pytest.approx((2.0, 2.0, 3.0))
    assert first.quality.slice_mm == 4.0


def test_field_holds_the_spine_whatever_the_pose() -> None:
    config = ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0))
    for seed in range(40):
        anatomy = draw_anatomy(seed, config)
        scan = acquire(anatomy, config)
        l3 = next(s for s in anatomy.vertebrae if s.level == 22)
        world = np.linalg.inv(scan.patient_from_world)
        vox = scan.grid.voxel(world[:3, :3] @ l3.centre_mm + world[:3, 3])
        assert (vox > 0).all() and (vox < np.array(scan.grid.shape) - 1).all()


def test_odd_poses_are_rare_and_the_others_upright() -> None:
    poses = [draw_pose(np.random.default_rng(s))[:3, :3] for s in range(4000)]
    upright = np.array([(np.diag(p) > 0.8).all() for p in poses])
    assert 1 - upright.mean() == pytest.approx(ODD_POSE_RATE, abs=0.006)
    assert all(np.linalg.det(p) == pytest.approx(1.0) for p in poses[:50])


def test_slices_run_from_thin_to_thick_and_never_leave_gaps() -> None:
    drawn = np.array([draw_slices(np.random.default_rng(s)) for s in range(2000)])
    assert drawn[:, 0].min() == 0.6 and drawn[:, 0].max() == 5.0
    assert (drawn[:, 1] <= drawn[:, 0] + 1e-9).all()
    assert 0.2 < (drawn[:, 1] < 0.6 * drawn[:, 0]).mean() < 0.3


def test_noise_of_soft_kernels_is_a_clinics() -> None:
    drawn = [draw_quality(np.random.default_rng(s), (3.0, 3.0), 0.8) for s in range(800)]
    soft = np.array([q.noise_hu for q in drawn if q.kernel.f50 < 4.5])
    assert 0.6 < len(soft) / len(drawn) < 0.75
    assert 7 < np.median(soft) < 12
    assert ((soft > 4) & (soft < 25)).mean() > 0.9
    assert np.median([q.noise_hu for q in drawn if q.kernel.f50 > 6.2]) > 2.2 * np.median(soft)


def test_crops_lie_inside_their_scan_and_its_voxels_are_no_finer() -> None:
    tilted = 0
    for seed in range(60):
        scan = crop_acquisition(CROP, np.random.default_rng(seed))
        vox = scan.grid.voxel(CROP.corners_mm())
        assert (vox > -0.51).all() and (vox < np.array(scan.grid.shape) - 0.49).all()
        assert (np.array(scan.grid.spacing_mm) > 0.999).all()
        assert scan.quality.noise_hu > 0
        slope = scan.grid.affine[2, 1] / scan.grid.affine[1, 1]
        assert abs(slope) <= np.tan(np.deg2rad(28.01))
        assert slope == 0 or max(scan.quality.slice_mm, scan.grid.spacing_mm[2]) > 1.3
        tilted += slope != 0
    assert 20 < tilted < 50


def test_oblique_slices_show_a_plate_in_their_plane_evenly() -> None:
    """A thin plate in the slices' plane is equally bright everywhere; one across it is, slice by slice, not."""
    grid = Grid((24, 60, 60), np.eye(4))
    scan = next(
        a for a in (crop_acquisition(grid, np.random.default_rng(s), (1.0, 1.0, 4.0)) for s in range(50))
        if abs(a.grid.affine[2, 1]) > 0.3
    )  # fmt: skip
    slope = scan.grid.affine[2, 1] / scan.grid.affine[1, 1]
    clean = without_noise(replace(scan, quality=replace(scan.quality, slice_mm=4.0)))
    y, z = torch.meshgrid(torch.arange(60.0) - 29.5, torch.arange(60.0) - 29.5, indexing="ij")
    uneven = {}
    for name, height in (("in", z - slope * y), ("across", z + slope * y)):
        plate = 1000.0 * (1.5 - height.abs()).clamp(0.0, 1.0)
        image = scan_crop(plate.expand(24, -1, -1).contiguous(), grid, clean, 0)[12, 10:50]
        uneven[name] = float(
            image.sum(1).std() / image.sum(1).mean() + image.amax(1).std() / image.amax(1).mean()
        )
    assert uneven["in"] < 0.15
    assert uneven["across"] > 2 * uneven["in"]


def test_painted_planes_lie_around_the_middle_of_each_slice() -> None:
    config = ScanConfig(field="lumbar", spacing_mm=(1.0, 1.0, 5.0))
    scan = acquire(draw_anatomy(2, config), config)
    assert scan.planes == 3
    painted = scan.painted_grid()
    assert np.allclose(painted.corners_mm(), scan.grid.corners_mm())
    assert np.allclose(painted.world((3.0, 4.0, 3 * 7 + 1)), scan.grid.world((3.0, 4.0, 7.0)))
    cubic = ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0))
    assert acquire(draw_anatomy(2, cubic), cubic).planes == 1


def test_scan_of_a_crop_keeps_shape_and_place() -> None:
    hu = torch.full(CROP.shape, 40.0)
    hu[16:32, 12:28, 14:30] = 400.0
    for seed in range(12):
        scan = crop_acquisition(CROP, np.random.default_rng(seed))
        image = scan_crop(hu, CROP, replace(without_noise(scan), motion=None), seed)
        assert image.shape == hu.shape
        weight = (image - 40.0).clamp_min(0.0)
        centre = [float((weight.sum([d for d in range(3) if d != a]) * torch.arange(n)).sum() / weight.sum())
                  for a, n in enumerate(hu.shape)]  # fmt: skip
        assert centre == pytest.approx([23.5, 19.5, 21.5], abs=0.15)


def test_the_same_seed_gives_the_same_image() -> None:
    hu = torch.full(CROP.shape, 40.0)
    hu[20:24, 20:24, 10:20] = 6000.0
    for seed in range(4):
        scan = crop_acquisition(CROP, np.random.default_rng(seed))
        assert torch.equal(scan_crop(hu, CROP, scan, 7), scan_crop(hu, CROP, scan, 7))
        assert not torch.equal(scan_crop(hu, CROP, scan, 7), scan_crop(hu, CROP, scan, 8))


def test_values_fit_12_bits_and_the_circle_is_padded() -> None:
    hu = torch.full((40, 40, 6), 20.0)
    hu[10:14, 10:14] = 9000.0
    grid = Grid((40, 40, 6), np.diag([5.0, 5.0, 3.0, 1.0]))
    scan = Acquisition(
        grid, np.eye(4), 5.0, Quality(KERNELS["B30f"], 10.0, 3.0), outside=Outside(95.0, -1024.0)
    )
    image = expose(hu, scan, 1)
    assert image.max() == 3071.0
    assert (image[0, 0] == -1024.0).all() and (image[20, 20] > -100).all()
    assert (image == -1024.0).float().mean() == pytest.approx(1 - np.pi * 95**2 / 200**2, abs=0.02)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_scan() -> None:
    hu = torch.full(CROP.shape, 40.0)
    hu[20:24, 20:24, 10:20] = 6000.0
    for seed in range(4):
        scan = crop_acquisition(CROP, np.random.default_rng(seed))
        gpu = scan_crop(hu.cuda(), CROP, scan, 7).cpu()
        assert (gpu - scan_crop(hu, CROP, scan, 7)).abs().max() < 0.5
