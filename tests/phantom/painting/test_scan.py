"""Label maps painted anew: the map kept, bodies parted from arches, pathology in its place, words for bad input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.cli import main
from vertseg.errors import ConfigError, InputError
from vertseg.io import read_labels, read_scan, write_nifti
from vertseg.labels import FINDINGS, LUMBAR, SACRUM, THORACIC, TOTALSEGMENTATOR_LEVELS, LocateClass, Tissue
from vertseg.phantom import PhantomScan, ScanConfig, render_scan
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.painting.body_deformation import drawn_deformation
from vertseg.phantom.painting.label_distance import signed_distance, spline_levelset
from vertseg.phantom.painting.label_maps import (
    TOTALSEGMENTATOR_NAMES,
    tissue_of,
)
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy, labelled_anatomy, read_labelled_anatomy
from vertseg.phantom.painting.painted_body import draw_body
from vertseg.phantom.painting.scan import paint_body, paint_scan, painted_crop
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.volume import Volume, crop_grid

SEED = 5
PHANTOM = ScanConfig(field="lumbar", spacing_mm=(2.0, 2.0, 2.5), pathology=0.0)
PLAIN = ScanConfig(field="whole", pathology=0.0, appearance=0.0)
LIVER, KIDNEY_RIGHT, KIDNEY_LEFT, MUSCLE_LEFT, MUSCLE_RIGHT = 5, 2, 3, 86, 87
ORGANS = {
    LIVER: (0.78, 0.62), 1: (0.2, 0.5), KIDNEY_RIGHT: (0.75, 0.4), KIDNEY_LEFT: (0.25, 0.4), 52: (0.45, 0.85),
    20: (0.5, 0.95), MUSCLE_LEFT: (0.35, 0.08), MUSCLE_RIGHT: (0.65, 0.08), 21: (0.6, 0.75),
}  # fmt: skip
"""Class number -> centre (share of x and y) of a column-shaped stand-in for the organ."""


@pytest.fixture(scope="module")
def phantom() -> PhantomScan:
    """A healthy phantom about its lumbar spine, from the middle of T12 down."""
    scan = render_scan(SEED, PHANTOM)
    level = scan.level.array
    at = np.argwhere((level >= LUMBAR[0]) & (level <= SACRUM))
    low = np.maximum(at.min(0) - [18, 8, 0], 0)
    top = int(np.argwhere(level == LUMBAR[0])[:, 2].max())
    high = np.minimum([*(at.max(0) + 19)[:2], top], level.shape)
    parts = {name: getattr(scan, name).cropped(low, high) for name in ("hu", "level", "tissue")}
    return replace(scan, **parts)


@pytest.fixture(scope="module")
def labels(phantom: PhantomScan) -> Volume:
    """The phantom's levels in TotalSegmentator's numbers, with stand-ins for organs around them."""
    table = np.zeros(32, np.uint8)
    for number, level in TOTALSEGMENTATOR_LEVELS.items():
        table[level] = number
    array = table[phantom.level.array]
    free = array == 0
    reach = np.ceil(0.06 * np.array(array.shape)).astype(int)
    for number, share in ORGANS.items():
        x, y = (round(s * n) for s, n in zip(share, array.shape[:2], strict=True))
        block = np.zeros_like(free)
        block[max(0, x - reach[0]) : x + reach[0], max(0, y - reach[1]) : y + reach[1], 4:-4] = True
        array[block & free] = number
    return phantom.level.with_array(array)


@pytest.fixture(scope="module")
def three_levels(labels: Volume) -> Volume:
    """L2 to L4 of it, of which L3 is whole."""
    at = np.argwhere((labels.array == 30) | (labels.array == 28))[:, 2]
    low, high = np.percentile(at, [10, 90]).astype(int)
    return labels.cropped((0, 0, low), (*labels.array.shape[:2], high))


@pytest.fixture(scope="module")
def anatomy(labels: Volume) -> LabelledAnatomy:
    return labelled_anatomy(labels, "totalsegmentator")


@pytest.fixture(scope="module")
def repainted(anatomy: LabelledAnatomy) -> PhantomScan:
    return paint_scan(anatomy, 3, PLAIN, deform=0.0)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_the_table_has_the_117_classes_of_the_task_total() -> None:
    assert len(TOTALSEGMENTATOR_NAMES) == 117
    known = {
        1: "spleen",
        25: "sacrum",
        52: "aorta",
        79: "spinal_cord",
        92: "rib_left_1",
        117: "costal_cartilages",
    }
    assert {n: TOTALSEGMENTATOR_NAMES[n] for n in known} == known
    for number, level in TOTALSEGMENTATOR_LEVELS.items():
        assert tissue_of(TOTALSEGMENTATOR_NAMES[number]) == ("sacrum" if level == SACRUM else "vertebra")


def test_the_distance_of_a_ball_in_thick_slices_is_smooth_and_keeps_every_voxel() -> None:
    spacing, radius = (1.0, 1.0, 3.0), 15.0
    axes = [np.arange(-n, n + 1) * s for n, s in zip((20, 20, 7), spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    mask = np.sqrt(x**2 + y**2 + z**2) < radius
    knots = spline_levelset(mask, spacing)
    fine = np.meshgrid(*[np.arange(-18.0, 18.5, 1.0)] * 3, indexing="ij")
    index = [f / s + n for f, s, n in zip(fine, spacing, (20, 20, 7), strict=True)]
    distance = signed_distance(
        ndimage.map_coordinates(knots, index, order=3, prefilter=False, output=np.float32), 1.0
    )
    true = np.sqrt(sum(f**2 for f in fine)) - radius
    near = np.abs(true) < 1.5
    # A voxelised ball is itself off by parts of a voxel: 1 mm across, 3 mm along.
    assert np.abs(distance - true)[near].mean() < 0.35
    assert (distance < 0).sum() == pytest.approx((true < 0).sum(), rel=0.03)
    own = np.indices(mask.shape).astype(float)
    assert np.array_equal(ndimage.map_coordinates(knots, own, order=3, prefilter=False) > 0, mask)


def test_an_undeformed_painting_has_the_labels_of_its_map(
    phantom: PhantomScan, anatomy: LabelledAnatomy, repainted: PhantomScan
) -> None:
    assert repainted.hu.grid.matches(phantom.hu.grid)
    assert set(LUMBAR[1:5]) <= set(anatomy.levels)
    for level in anatomy.levels:
        assert dice(phantom.level.array == level, repainted.level.array == level) > 0.98
    assert dice(phantom.level.array == SACRUM, repainted.level.array == SACRUM) > 0.9


def test_bodies_are_parted_from_arches_as_the_phantom_was_drawn(
    phantom: PhantomScan, anatomy: LabelledAnatomy, repainted: PhantomScan
) -> None:
    for level in anatomy.levels:
        own, drawn = repainted.level.array == level, phantom.level.array == level
        body = own & (repainted.tissue.array == LocateClass.BODY)
        arch = own & (repainted.tissue.array == LocateClass.POSTERIOR)
        assert dice(body, drawn & (phantom.tissue.array == LocateClass.BODY)) > 0.93
        assert np.argwhere(body)[:, 1].mean() > np.argwhere(arch)[:, 1].mean()


def test_sizes_are_measured_from_the_map(anatomy: LabelledAnatomy) -> None:
    drawn = {s.level: s.sizes for s in draw_anatomy(SEED, PHANTOM).vertebrae}
    for v in anatomy.vertebrae:
        if v.level in anatomy.levels and v.level in LUMBAR:
            assert v.sizes["width"] == pytest.approx(drawn[v.level]["width"], rel=0.12)
            # Measured half way up, where the front is drawn in by the waist.
            middle = drawn[v.level]["depth"] * (1 - 0.7 * drawn[v.level]["waist"])
            assert v.sizes["depth"] == pytest.approx(middle, rel=0.1)
            assert v.sizes["height"] == pytest.approx(drawn[v.level]["height"], abs=4.0)
            # Labels end where edges appear, about a millimetre inside the canal on either side.
            assert v.sizes["canal_width"] == pytest.approx(drawn[v.level]["canal_width"] - 2.0, rel=0.25)


def test_attenuations_are_those_of_their_tissues(labels: Volume, repainted: PhantomScan) -> None:
    hu, inner = repainted.hu.array, {}
    for number in (LIVER, MUSCLE_LEFT):
        mask = labels.array == number
        inner[number] = float(np.median(hu[mask & np.roll(mask, 3, 0) & np.roll(mask, -3, 0)]))
    assert 30 < inner[LIVER] < 130
    assert 20 < inner[MUSCLE_LEFT] < 90
    body = repainted.tissue.array == LocateClass.BODY
    assert 120 < float(np.median(hu[body])) < 350
    assert float(np.median(hu[body])) > inner[MUSCLE_LEFT] + 50
    assert hu.min() >= -1024
    assert float(np.percentile(hu, 99.9)) > 400


def test_the_same_seed_paints_the_same_and_another_another(anatomy: LabelledAnatomy) -> None:
    config = ScanConfig(field="whole", spacing_mm=(4.0, 4.0, 4.0))
    first, again, other = (paint_scan(anatomy, seed, config) for seed in (1, 1, 2))
    assert np.array_equal(first.hu.array, again.hu.array)
    assert np.array_equal(first.level.array, again.level.array)
    assert first.level.array.shape != other.level.array.shape or not np.array_equal(
        first.level.array, other.level.array
    )


def test_pathology_lies_in_its_vertebra_alone(anatomy: LabelledAnatomy) -> None:
    level = LUMBAR[1]
    found = np.zeros(len(FINDINGS), int)
    for seed in range(5):
        crop = painted_crop(anatomy, level, seed, (40, 40, 40), 2.4, inject=False)
        assert crop.level == level
        assert crop.findings.shape == (len(FINDINGS), 40, 40, 40)
        bone = crop.tissue > 0
        for name in ("lytic_lesion", "sclerotic_lesion", "posterior_wall_defect"):
            assert not (crop.findings[FINDINGS.index(name)].astype(bool) & ~bone).any()
        found += crop.findings.reshape(len(FINDINGS), -1).any(1)
    assert found.sum() >= 2


def test_a_crop_stands_upright_with_its_body_before_its_arch(anatomy: LabelledAnatomy) -> None:
    level = LUMBAR[2]
    crop = painted_crop(anatomy, level, 11, (40, 40, 40), 2.4, inject=False)
    again = painted_crop(anatomy, level, 11, (40, 40, 40), 2.4, inject=False)
    body, arch = np.argwhere(crop.tissue == Tissue.BODY), np.argwhere(crop.tissue == Tissue.POSTERIOR)
    assert body[:, 1].mean() - arch[:, 1].mean() > 8
    assert abs(body[:, 0].mean() - arch[:, 0].mean()) < 4
    assert crop.marker[crop.tissue > 0].mean() > 0.5
    assert np.array_equal(crop.image, again.image)
    assert np.array_equal(crop.findings, again.findings)


def test_a_broken_body_is_painted_as_low_as_it_was_drawn(anatomy: LabelledAnatomy) -> None:
    level = LUMBAR[1]
    body = draw_body(anatomy, 3, PLAIN, 0.0)
    shape = body.healthy[level]
    low = {k: 0.5 * shape.sizes[k] for k in ("height", "middle_height", "anterior_height")}
    crushed = replace(shape, sizes={**shape.sizes, **low}, height_loss=0.5)
    column = tuple(crushed if s.level == level else s for s in body.anatomy.vertebrae)
    heights = []
    for patient in (body, replace(body, anatomy=replace(body.anatomy, vertebrae=column))):
        grid = crop_grid(shape.centre_mm, shape.axes, (12, 12, 60), 1.0)
        sheet = paint_body(Canvas(grid, np.eye(4), 1.0, "cpu"), patient)
        own = (sheet.level == level) & (sheet.tissue == int(LocateClass.BODY))
        heights.append(float(own[3:9, 3:9].sum(-1).float().mean()))
    assert heights[1] / heights[0] == pytest.approx(0.5, abs=0.06)


def test_a_deformation_is_undone_by_its_inverse(anatomy: LabelledAnatomy) -> None:
    pivot = anatomy.vertebrae[1].centre_mm
    points = np.stack([v.centre_mm for v in anatomy.vertebrae]) + [30.0, -20.0, 10.0]
    handed = set()
    for seed in range(6):
        deformation = drawn_deformation(anatomy.grid, pivot, 1.0, seed)
        patient = deformation.patient_points(points)
        back = deformation.map_points(torch.tensor(patient, dtype=torch.float32)).numpy()
        assert np.abs(back - points).max() < 0.1
        _, axes, stretch = deformation.poses(points, np.stack([v.axes for v in anatomy.vertebrae]))
        assert np.allclose(np.linalg.det(axes), 1.0)
        assert 0.7 < stretch.min() <= stretch.max() < 1.4
        handed.add(deformation.mirrored)
    assert handed == {True, False}


@pytest.mark.slow
def test_verse_masks_get_a_drawn_body_around_them(phantom: PhantomScan) -> None:
    spine = phantom.level.with_array(
        np.where(phantom.level.array == SACRUM, 0, phantom.level.array).astype(np.uint8)
    )
    anatomy = labelled_anatomy(spine, "verse")
    assert anatomy.hull is None
    scan = paint_scan(anatomy, 4, replace(PLAIN, spacing_mm=(2.0, 2.0, 2.5)), deform=0.0)
    level = scan.level.resampled_to(phantom.level.grid, 0, 0).array
    middle = LUMBAR[2]
    assert dice(level == middle, phantom.level.array == middle) > 0.9
    # Fat, muscle and air are there although the map has none of them.
    assert (scan.hu.array < -60).mean() > 0.05
    assert ((scan.hu.array > 20) & (scan.hu.array < 90)).mean() > 0.1


def test_kept_distances_paint_the_same(three_levels: Volume, tmp_path: Path) -> None:
    write_nifti(tmp_path / "map.nii.gz", three_levels)
    first, kept = (
        read_labelled_anatomy(tmp_path / "map.nii.gz", "totalsegmentator", tmp_path / "cache")
        for _ in range(2)
    )
    assert len(list((tmp_path / "cache").glob("painted-*.npz"))) == 1
    assert first.digest == kept.digest
    assert first.levels == kept.levels == (LUMBAR[2],)
    one, two = (painted_crop(a, LUMBAR[2], 2, (24, 24, 24), 4.0) for a in (first, kept))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.tissue, two.tissue)


@pytest.mark.parametrize(
    ("change", "scheme", "word"),
    [
        ("empty", "totalsegmentator", "empty"),
        ("unknown", "totalsegmentator", "200"),
        ("organs", "totalsegmentator", "no vertebra"),
        ("none", "verse", "totalsegmentator"),
        ("none", "freesurfer", "known schemes"),
    ],
)
def test_maps_that_cannot_be_painted_are_refused_in_a_sentence(
    labels: Volume, change: str, scheme: str, word: str
) -> None:
    array = labels.array.copy()
    if change == "empty":
        array[:] = 0
    if change == "unknown":
        array[0, 0, 0] = 200
    if change == "organs":
        array[(array > 24) & (array < 51)] = 0
    with pytest.raises((InputError, ConfigError), match=word):
        labelled_anatomy(labels.with_array(array), scheme)  # type: ignore[arg-type]


def test_a_level_that_the_map_lacks_is_refused(anatomy: LabelledAnatomy) -> None:
    with pytest.raises(ConfigError, match="T1 whole"):
        painted_crop(anatomy, THORACIC[0], 0)


def test_the_command_writes_image_labels_and_truth(
    three_levels: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_nifti(tmp_path / "map.nii.gz", three_levels)
    arguments = ["phantom", "paint", str(tmp_path / "map.nii.gz"), str(tmp_path / "out.nii.gz")]
    assert main([*arguments, "--scheme", "totalsegmentator", "--seed", "1", "--spacing", "4,4,4"]) == 0
    image = read_scan(tmp_path / "out.nii.gz").volume
    level = read_labels(tmp_path / "out_level.nii.gz")
    assert image.grid.matches(level.grid)
    assert LUMBAR[2] in np.unique(level.array)
    assert (tmp_path / "out.json").exists()
    assert main([*arguments, "--scheme", "verse"]) == 2
    assert "another scheme" in capsys.readouterr().err
