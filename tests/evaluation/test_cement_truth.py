"""Where phantoms' cement leaked to, by the drawn casts."""

from dataclasses import replace

import numpy as np
import pytest

from tests.phantom.sick import healthy
from vertseg.evaluation.cement_truth import WAYS, labelled_findings, leaked_by_way_ml
from vertseg.labels import FINDINGS
from vertseg.phantom.canvas import Canvas
from vertseg.phantom.pathology.cementation import LEAK_RATES, draw_cement
from vertseg.phantom.pathology.disease import CementFill, Strand
from vertseg.phantom.pathology.treatment import paint_treatment
from vertseg.phantom.sheet import LabelSheet
from vertseg.phantom.texture import NoiseTile
from vertseg.phantom.truth import measured
from vertseg.phantom.types import PhantomScan
from vertseg.phantom.vertebra.bones import paint_vertebra
from vertseg.phantom.vertebra.marrow import GRAIN_MM
from vertseg.volume import Volume, crop_grid


def rendered(cement: CementFill) -> tuple[PhantomScan, object]:
    """One vertebra without a scanner: truth, labels and HU of a crop at 1 mm."""
    shape, anatomy = healthy()
    shape = replace(shape, cement=cement)
    anatomy = replace(anatomy, vertebrae=(shape,))
    grid = crop_grid(shape.centre_mm - 15 * shape.axes[:, 1], shape.axes, (90, 100, 70), 1.0)
    canvas = Canvas(grid, np.eye(4), 1.0, "cpu")
    canvas.hu.fill_(40.0)
    sheet = LabelSheet.blank(canvas)
    paint_vertebra(canvas, sheet, shape, anatomy, NoiseTile(canvas, GRAIN_MM, anatomy.seed))
    paint_treatment(canvas, sheet, anatomy)

    def volume(array: np.ndarray) -> Volume:
        return Volume(array, grid.affine)

    findings = {name: volume(sheet.findings[i].numpy()) for i, name in enumerate(FINDINGS)}
    truth = measured(anatomy, canvas, sheet, np.eye(4))
    scan = PhantomScan(
        volume(canvas.hu.numpy()),
        volume(sheet.level.numpy()),
        volume(sheet.tissue.numpy()),
        findings,
        truth,
        3,
    )
    return scan, anatomy


@pytest.mark.parametrize("seed", [1, 4])
def test_ways_add_up_to_what_the_renderer_says_leaked(seed: int) -> None:
    shape, _ = healthy()
    rng = np.random.default_rng(seed)
    cement = draw_cement(shape, rng)
    while len(cement.strands) < 2:
        cement = draw_cement(shape, rng)
    scan, anatomy = rendered(cement)
    ways = leaked_by_way_ml(anatomy, scan.level, np.eye(4))[shape.level]
    assert sum(ways.values()) == pytest.approx(scan.vertebrae[0].leaked_ml, rel=0.1, abs=0.01)
    assert {w for w, ml in ways.items() if ml > 0} <= {s.route for s in cement.strands}


def test_every_drawn_way_is_known() -> None:
    assert set(WAYS) == set(LEAK_RATES)


def test_cast_counts_outside_of_its_vertebra_only() -> None:
    shape, _ = healthy()
    back = -0.5 * shape.sizes["depth"]
    strand = Strand("canal", ((0.0, back + 9.0, 0.0), (0.0, back - 3.0, 0.0), (0.0, back - 3.0, 8.0)), 1.5)
    scan, anatomy = rendered(
        CementFill(((0.0, 4.0, 0.0, 7.0, 7.0, 7.0),), 2200.0, 0.0, (strand,), (0.1, 0.2, 0.3))
    )
    ways = leaked_by_way_ml(anatomy, scan.level, np.eye(4))[shape.level]
    whole = np.pi * 1.4**2 * (12 + 8) / 1000
    assert 0.3 * whole < ways["canal"] < 0.95 * whole
    assert ways["disc"] == ways["vein"] == ways["track"] == 0.0


def test_labels_without_leaks_keep_the_deposit() -> None:
    shape, _ = healthy()
    back = -0.5 * shape.sizes["depth"]
    strand = Strand("canal", ((0.0, back + 9.0, 0.0), (0.0, back - 3.0, 0.0), (0.0, back - 3.0, 8.0)), 1.5)
    scan, _ = rendered(CementFill(((0.0, 4.0, 0.0, 7.0, 7.0, 7.0),), 2200.0, 0.0, (strand,), (0.1, 0.2, 0.3)))
    own = scan.level.array == shape.level
    full, weak = (labelled_findings(scan, leaks).cement.array > 0 for leaks in (True, False))
    assert (full & ~own).any() and not (weak & ~own).any()
    assert weak.sum() > 0.8 * (full & own).sum()
    assert labelled_findings(scan).vertebrae[0].measures.cement_ml == pytest.approx((full & own).sum() / 1000)
