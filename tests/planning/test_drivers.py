"""Findings painted over in drawn vertebrae, and the change of risk that is put down to each."""

import numpy as np
import pytest

from tests.planning.boxed_vertebra import drawn_vertebra, with_wall_hole
from tests.planning.drawn_leak_head import drawn_model, predicted
from vertseg.inference.engines.base import Arrays
from vertseg.inference.options import Plan
from vertseg.labels import FINDINGS
from vertseg.nets.leak_names import BODY_COLUMN
from vertseg.planning.drivers import leak_drivers
from vertseg.planning.healthy_bone import GAS_HU, LEAST_CORTEX_HU, finding_mask, painted
from vertseg.preprocess import CropSpec
from vertseg.volume import Volume

PLAN = Plan(4.0, "low", "unipedicular")


def test_a_painted_wall_is_whole_and_the_rest_untouched() -> None:
    vertebra, _ = with_wall_hole(drawn_vertebra())
    mask = finding_mask(vertebra, "posterior_wall_defect")
    hu = painted(vertebra, mask)
    assert mask.sum() == 12 * 2 * 10
    assert (vertebra.hu[mask] == 40.0).all()
    assert hu[mask].min() >= LEAST_CORTEX_HU
    assert np.array_equal(hu[~mask], vertebra.hu[~mask])


def test_a_painted_lesion_is_marrow_inside_and_cortex_at_the_wall() -> None:
    """Marrow of 110 HU with noise of 12: so is the painted lesion, not an even patch."""
    vertebra, _ = with_wall_hole(drawn_vertebra())
    rng = np.random.default_rng(1)
    vertebra.hu[:] += rng.normal(0, 12, vertebra.hu.shape)
    mask = finding_mask(vertebra, "lytic_lesion")
    deep = mask.copy()
    deep[:, :46] = False
    hu = painted(vertebra, mask)[deep]
    assert hu.mean() == pytest.approx(110, abs=2)
    assert hu.std() == pytest.approx(12, abs=2)


def test_gas_is_a_cleft_and_a_noisy_voxel_is_not() -> None:
    vertebra = drawn_vertebra()
    vertebra.hu[20, 50, 20] = 2 * GAS_HU
    assert not finding_mask(vertebra, "cleft").any()
    vertebra.hu[25:45, 50:65, 22:27] = -300.0
    mask = finding_mask(vertebra, "cleft")
    assert mask.sum() >= 20 * 15 * 5
    assert painted(vertebra, mask)[mask].mean() == pytest.approx(110, abs=1)


class _Darkness:
    """Stands in for the network: its one feature that counts is how dark the place of the hole is."""

    name, locate_spacing_mm, locate_multiple, device = "drawn", 3.0, 16, "cpu"
    crop = CropSpec((64, 64, 64), 1.5)

    def __init__(self, feature: int, size: int) -> None:
        self.feature, self.size = feature, size
        self.checkpoints: dict[str, dict[str, object]] = {}

    def locate(self, image: np.ndarray) -> Arrays:
        raise NotImplementedError

    def examine(self, crops: np.ndarray, plan: np.ndarray) -> Arrays:
        features = np.zeros((len(crops), self.size), np.float32)
        features[:, BODY_COLUMN] = 8.0
        # The body's back face lies 15 mm behind its middle, 3 mm before the crop's.
        features[:, self.feature] = 0.5 - crops[:, 0, 30:34, 34:35, 30:34].mean((1, 2, 3))
        findings = np.zeros((len(crops), len(FINDINGS), *crops.shape[2:]), np.float32)
        findings[:, FINDINGS.index("posterior_wall_defect")] = crops[:, :1].mean(1) < 0.2
        return {"leak_features": features, "findings": findings}


def test_the_hole_is_what_drives_the_risk() -> None:
    """A head whose cortical risk rises with darkness of the wall: painting the hole takes the risk away."""
    vertebra, _ = with_wall_hole(drawn_vertebra())
    vertebra.masks["lytic_lesion"][:] = False
    vertebra.masks["sclerotic_lesion"][20:26, 60:66, 14:18] = True
    model = drawn_model(route="C", column=5, weight=6.0)
    size = model.weights["centre"].size
    found = leak_drivers(
        vertebra,
        predicted(vertebra, np.zeros(size, np.float32)),
        Volume(vertebra.hu, vertebra.grid.affine),
        PLAN,
        _Darkness(5, size),
        model,
    )
    assert found is not None
    wall, sclerosis = found.drivers
    assert wall.finding == "posterior_wall_defect"
    assert wall.volume_ml == pytest.approx(0.24, abs=0.01)
    assert wall.difference["C"] > 0.2
    assert wall.difference["any"] > 0.05
    assert abs(wall.difference["B"]) < 1e-6
    assert wall.difference["C"] == pytest.approx(wall.risk["C"] - wall.without["C"])
    assert sclerosis.finding == "sclerotic_lesion"
    assert abs(sclerosis.difference["any"]) < 1e-3


def test_a_vertebra_without_findings_has_no_drivers() -> None:
    vertebra = drawn_vertebra()
    model = drawn_model(route="C", column=5, weight=6.0)
    size = model.weights["centre"].size
    scan = Volume(vertebra.hu, vertebra.grid.affine)
    found = leak_drivers(
        vertebra, predicted(vertebra, np.zeros(size, np.float32)), scan, PLAN, _Darkness(5, size), model
    )
    assert found is not None
    assert found.drivers == ()
    assert leak_drivers(vertebra, predicted(vertebra, None), scan, PLAN, _Darkness(5, size), model) is None
