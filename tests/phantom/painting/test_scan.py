"""Label maps painted anew: the map kept, bodies parted from arches, pathology in its place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.phantom.painting.conftest import LIVER, MUSCLE_LEFT
from vertseg.cli import main
from vertseg.errors import ConfigError
from vertseg.io import read_labels, read_scan, write_nifti
from vertseg.labels import FINDINGS, LUMBAR, SACRUM, THORACIC, LocateClass, Tissue
from vertseg.phantom import PhantomScan, ScanConfig
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy, labelled_anatomy, read_labelled_anatomy
from vertseg.phantom.painting.painted_body import draw_body
from vertseg.phantom.painting.scan import paint_body, paint_scan, painted_crop
from vertseg.volume import Volume, crop_grid

PLAIN = ScanConfig(field="whole", pathology=0.0, appearance=0.0)


@pytest.fixture(scope="module")
def repainted(anatomy: LabelledAnatomy) -> PhantomScan:
    return paint_scan(anatomy, 3, PLAIN, deform=0.0)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


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
