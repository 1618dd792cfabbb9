"""All measures of a drawn column together."""

import json

import numpy as np
import pytest

from tests.planning.drawn_spine import Drawn, column, scan_of, stood
from vertseg.labels import level_number
from vertseg.planning.upright import ScanLabels, stand_upright
from vertseg.planning.vertebra_measures import measure_vertebrae

T12, L1, L2 = (level_number(n) for n in ("T12", "L1", "L2"))


def spine() -> list[Drawn]:
    drawn = column(T12, L1, L2)
    drawn[1] = Drawn(L1, drawn[1].centre_mm, anterior_mm=15, fragment_mm=5)
    return drawn


def test_values_are_json() -> None:
    found = measure_vertebrae(stood(spine()), pain={L1: "mechanical"})
    values = json.loads(json.dumps([m.values() for m in found], allow_nan=False))
    assert [v["level"] for v in values] == ["T12", "L1", "L2"]
    assert values[1]["collapse"]["genant_grade"] == 2
    assert values[1]["canal"]["retropulsion_mm"] == pytest.approx(5, abs=1)
    assert values[1]["sins"]["pain"] == {"low": 3, "high": 3, "finding": "mechanical"}
    assert values[0]["sins"]["pain"]["finding"] == "unknown"


def test_order_of_the_vertebrae_does_not_matter() -> None:
    vertebrae = stood(spine())
    one = {m.level: m.values() for m in measure_vertebrae(vertebrae)}
    other = {m.level: m.values() for m in measure_vertebrae(vertebrae[::-1])}
    assert one == other
    assert [m.values() for m in measure_vertebrae(vertebrae, levels=(L1,))] == [one[L1]]


def test_a_vertebra_without_a_body_is_not_measured() -> None:
    (vertebra,) = stood([Drawn(L1)])
    vertebra.body[:] = False
    assert vertebra.body_share is not None
    vertebra.body_share[:] = 0
    (found,) = measure_vertebrae([vertebra])
    assert found.wall_map is None and found.collapse.anterior_mm is None and found.canal.area_mm2 is None
    assert found.lesion.lytic_share is None and found.wall.wall_mm2 is None
    assert not np.isnan(found.lesion.lytic_ml)


def test_a_body_that_the_scan_cuts_has_no_height() -> None:
    labels, scan = scan_of(spine())
    top = int(np.ceil(scan.grid.voxel([0, 0, 6.0])[2]))
    whole = scan.array.shape
    cut = ScanLabels(
        *(v.cropped((0, 0, 0), (*whole[:2], top)) for v in (labels.levels, labels.tissue)),
        {name: mask.cropped((0, 0, 0), (*whole[:2], top)) for name, mask in labels.masks.items()},
    )
    below = scan.cropped((0, 0, 0), (*whole[:2], top))
    found = measure_vertebrae([stand_upright(cut, below, v.place) for v in spine()])
    assert found[0].collapse.anterior_mm is None and found[0].alignment.wedge_deg is None
    assert found[1].collapse.neighbours == ("L2",)
    assert found[1].collapse.loss_percent is not None
    assert found[1].alignment.slip_above_mm is None and found[1].canal.retropulsion_mm is None
