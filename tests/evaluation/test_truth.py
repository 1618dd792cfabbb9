"""Which vertebrae count, where their middles are, and what anchors their names."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.inference.drawn import LUMBAR, DrawnSpine, draw_spine
from vertseg.data.cases import Case
from vertseg.evaluation.truth import Truth, shows_anchor, true_vertebrae, truth_of_case
from vertseg.io import write_nifti
from vertseg.labels import SACRUM, level_number, region_of
from vertseg.volume import Volume

SPINE = draw_spine("T12 L1 L2 L3")


def truth(spine: DrawnSpine, start: int = 0, stop: int | None = None, parts: bool = True) -> Truth:
    """A drawn spine's truth, its slices from `start` to `stop`."""
    affine = spine.grid.affine.copy()
    affine[:3, 3] = spine.grid.world([0, 0, start])
    level = Volume(spine.level[:, :, start:stop], affine)
    tissue = Volume(spine.tissue[:, :, start:stop], affine) if parts else None
    return Truth(level, tissue, {}, frozenset({"level"}))


def body_rows(spine: DrawnSpine, name: str) -> np.ndarray:
    return np.flatnonzero(((spine.level == level_number(name)) & (spine.tissue == 1)).any(axis=(0, 1)))


@pytest.mark.parametrize("parts", [True, False])
def test_centres_are_those_of_bodies(parts: bool) -> None:
    found = true_vertebrae(truth(SPINE, parts=parts))
    assert [v.name for v in found] == ["T12", "L1", "L2", "L3"]
    for vertebra in found:
        off = np.linalg.norm(vertebra.centre_mm - SPINE.centres_mm[vertebra.level])
        assert off < (2.0 if parts else 6.0)


def test_a_sliver_at_the_border_does_not_count_and_a_vertebra_that_is_mostly_there_does() -> None:
    rows = body_rows(SPINE, "L3")
    most, little = rows[0] + 2, rows[-1] - 1
    assert [v.name for v in true_vertebrae(truth(SPINE, start=most))] == ["T12", "L1", "L2", "L3"]
    assert [v.name for v in true_vertebrae(truth(SPINE, start=little))] == ["T12", "L1", "L2"]


@pytest.mark.parametrize(
    ("names", "sacrum", "anchored"),
    [("T12 L1", False, True), ("L1 L2", False, False), ("T1 T2", False, True), ("L4 L5", True, True), ("T5 T6", False, False)],
)  # fmt: skip
def test_sacrum_first_rib_or_the_passage_to_the_lumbar_spine_anchor_the_names(
    names: str, sacrum: bool, anchored: bool
) -> None:
    found = truth(draw_spine(names, sacrum=sacrum))
    assert shows_anchor(found, true_vertebrae(found)) is anchored


def test_regions() -> None:
    names = ("C7", "T1", "T12", "T13", "L1", "L6")
    assert [region_of(level_number(n)) for n in names] == ["cervical", *["thoracic"] * 3, *["lumbar"] * 2]


def test_a_case_tells_what_it_annotates_and_a_phantoms_heights(tmp_path: Path) -> None:
    spine = draw_spine(LUMBAR, sacrum=True)
    image, level = tmp_path / "a.nii.gz", tmp_path / "a_level.nii.gz"
    hu = Volume(np.zeros(spine.grid.shape, np.float32), spine.grid.affine)
    write_nifti(level, Volume(spine.level, spine.grid.affine))
    case = Case("a", image, level, None, frozenset({"level", "sacrum"}))
    found = truth_of_case(case, hu)
    assert found.tissue is None and found.findings == {} and found.fractures is None
    assert (found.level.array == SACRUM).any()
    (tmp_path / "a.json").write_text(
        json.dumps({"seed": 1, "vertebrae": [{"level": "L2", "height_loss": 0.3}]})
    )
    assert truth_of_case(case, hu).fractures == {level_number("L2"): 0.3}
    (tmp_path / "a.json").write_text(json.dumps({"Manufacturer": "someone"}))
    assert truth_of_case(case, hu).fractures is None
