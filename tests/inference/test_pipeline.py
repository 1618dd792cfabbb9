"""The whole path on drawn scans, with an engine that reads the truth off the HU."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.inference.drawn import draw_spine
from tests.inference.oracle import SOFT, Oracle, dice, hu_of, turned_grid
from vertseg import PredictOptions, Volume, predict
from vertseg.errors import InputError
from vertseg.inference.findings import Findings
from vertseg.labels import LocateClass, Tissue, level_number
from vertseg.volume import restore

NAMES = "T12 L1 L2 L3"
SPINE = draw_spine(NAMES, sacrum=True)
_POINTS = SPINE.grid.world(np.moveaxis(np.indices(SPINE.grid.shape), 0, -1))
LYTIC = np.linalg.norm(_POINTS - SPINE.centres_mm[level_number("L2")], axis=-1) < 9


def run(scan: Volume, **options: object) -> Findings:
    return predict(scan, options=PredictOptions(**options), engine=Oracle(NAMES.split()))


@pytest.fixture(scope="module")
def straight() -> Findings:
    return run(hu_of(SPINE, LYTIC))


def test_levels_tissue_and_lesion_come_back_where_they_were_drawn(straight: Findings) -> None:
    assert [v.name for v in straight.vertebrae] == NAMES.split()
    for number in SPINE.centres_mm:
        assert dice(straight.levels.array == number, SPINE.level == number) > 0.95
    body = straight.tissue.array == Tissue.BODY
    assert dice(body, SPINE.tissue == LocateClass.BODY) > 0.95
    assert dice(straight.lytic_lesion.array, LYTIC) > 0.85
    assert not straight.posterior_wall_defect.array.any()


def test_sacrum_is_a_level_and_no_tissue(straight: Findings) -> None:
    sacrum = straight.levels.array == level_number("sacrum")
    assert dice(sacrum, SPINE.level == level_number("sacrum")) > 0.85
    assert not straight.tissue.array[sacrum].any()


def test_measures_are_those_of_the_drawing(straight: Findings) -> None:
    for v in straight.vertebrae:
        drawn_ml = ((SPINE.level == v.level) & (SPINE.tissue == LocateClass.BODY)).sum() * 0.027
        assert v.measures.body_ml == pytest.approx(drawn_ml, rel=0.1)
        assert np.linalg.norm(np.array(v.centroid_mm) - SPINE.centres_mm[v.level]) < 2
    l2 = next(v for v in straight.vertebrae if v.name == "L2")
    assert l2.measures.lytic_ml == pytest.approx(LYTIC.sum() * 0.027, rel=0.2)
    assert [v.name for v in straight.vertebrae if v.measures.lytic_ml > 0] == ["L2"]


@pytest.mark.parametrize("axcodes", ["LPS", "ASL", "IRP", "RAI"])
def test_a_flipped_scan_gives_the_same_report_and_voxels(straight: Findings, axcodes: str) -> None:
    flipped = hu_of(SPINE, LYTIC).oriented(axcodes)
    found = run(flipped)
    assert found.levels.grid.matches(flipped.grid)
    np.testing.assert_array_equal(restore(found.levels, SPINE.grid).array, straight.levels.array)
    np.testing.assert_array_equal(restore(found.lytic_lesion, SPINE.grid).array, straight.lytic_lesion.array)
    for a, b in zip(found.vertebrae, straight.vertebrae, strict=True):
        assert a.level == b.level and a.measures == b.measures
        np.testing.assert_allclose(a.centroid_mm, b.centroid_mm, atol=1e-6)


@pytest.mark.parametrize(
    ("angles", "spacing_mm", "least"),
    [
        ((0, 0, 0), (1.5, 1.5, 1.5), 0.93),
        ((0, 0, 0), (1.2, 1.2, 5.0), 0.85),
        ((12, -8, 20), (2.0, 2.0, 2.5), 0.85),
    ],
)
def test_other_grids(angles: tuple[int, ...], spacing_mm: tuple[float, float, float], least: float) -> None:
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    grid = turned_grid(SPINE.grid, rotation, spacing_mm)
    drawn = draw_spine(NAMES, sacrum=True, grid=grid)
    scan = hu_of(drawn)
    found = run(scan)
    assert found.levels.grid.matches(scan.grid)
    assert [v.name for v in found.vertebrae] == NAMES.split()
    for number in SPINE.centres_mm:
        assert dice(found.levels.array == number, drawn.level == number) > least


def test_asked_levels_are_the_only_ones_examined(straight: Findings) -> None:
    engine = Oracle(NAMES.split())
    levels = (level_number("L1"), level_number("C3"))
    found = predict(hu_of(SPINE, LYTIC), options=PredictOptions(levels=levels), engine=engine)
    assert engine.examined == 1
    assert [v.name for v in found.vertebrae] == ["L1"]
    assert set(np.unique(found.levels.array)) == {0, level_number("L1")}
    assert any("C3 not found" in w for w in found.warnings)
    assert dice(found.levels.array == levels[0], straight.levels.array == levels[0]) > 0.98


def test_a_lesion_that_swallowed_the_outline_falls_back_to_the_locate_network() -> None:
    class Blind(Oracle):
        def examine(self, crops, plan):  # type: ignore[no-untyped-def]
            out = super().examine(crops, plan)
            out["tissue"][:] = 0
            out["tissue"][:, Tissue.NONE] = 1
            return out

    found = predict(hu_of(SPINE), engine=Blind(NAMES.split()))
    assert [v.name for v in found.vertebrae] == NAMES.split()
    assert sum("does not confirm" in w for w in found.warnings) == 4
    for number in SPINE.centres_mm:
        assert dice(found.levels.array == number, SPINE.level == number) > 0.85


def test_a_scan_without_spine_gives_an_empty_result_and_says_so() -> None:
    hu = np.full((40, 40, 40), SOFT, dtype=np.float32)
    hu[:5] = -1000
    hu[20:22, 20:22, 20:22] = 900
    found = run(Volume(hu, np.diag([3.0, 3, 3, 1])))
    assert found.vertebrae == () and not found.levels.array.any()
    assert found.warnings and "No vertebra was found" in found.warnings[0]


def test_arrays_that_are_no_ct_are_refused() -> None:
    with pytest.raises(InputError, match="HU"):
        run(Volume(np.random.default_rng(0).random((30, 30, 30), dtype=np.float32), np.eye(4)))


def test_specks_of_a_finding_are_left_out() -> None:
    speck = np.linalg.norm(_POINTS - SPINE.centres_mm[level_number("L1")], axis=-1) < 2.5
    assert 0 < speck.sum() * 0.027 < 0.2
    found = run(hu_of(SPINE, LYTIC | speck))
    assert [v.name for v in found.vertebrae if v.measures.lytic_ml > 0] == ["L2"]
