"""Which findings drive a vertebra's leak risk: each is painted over in the image, and the risk is asked for again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.engines import Engine
from vertseg.inference.findings import VertebraFindings
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.options import Plan
from vertseg.labels import FINDINGS, LEAK_OUTCOMES
from vertseg.planning.healthy_bone import ABLATED, Ablated, finding_mask, painted
from vertseg.planning.upright import UprightVertebra
from vertseg.preprocess import examine_crop, stack_examine
from vertseg.volume import Volume

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Driver:
    """What one finding adds to the risk.

    Attributes:
        finding: of `healthy_bone.ABLATED`.
        volume_ml: how much of the image was painted over.
        risk: outcome of `labels.LEAK_OUTCOMES` -> risk of the scan as it is, from the same crop.
        without: the same with the finding painted over.
        difference: risk - without; positive where the finding raises the risk, negative where it relieves a route.
        removed: share of the finding that the network no longer sees in the painted crop, 0 to 1; near 0 the painting
            did not take and the difference says little. None for a cleft, which is no output of the network.
    """

    finding: Ablated
    volume_ml: float
    risk: dict[str, float]
    without: dict[str, float]
    difference: dict[str, float]
    removed: float | None


@dataclass(frozen=True)
class Drivers:
    """Drivers of one vertebra, the strongest on "any" first; empty where it has none of the findings.

    Attributes:
        drivers: one for each finding that it has.
        mismatch: largest distance over outcomes between the risk of the unpainted crop here, whose marker is the
            finished mask, and the prediction's own, whose marker was the located one.
    """

    drivers: tuple[Driver, ...]
    mismatch: float


def leak_drivers(
    upright: UprightVertebra,
    vertebra: VertebraFindings,
    scan: Volume,
    plan: Plan,
    engine: Engine,
    model: LeakModel,
) -> Drivers | None:
    """What drives the leak risk of a vertebra, by one batched run of the examine network.

    Args:
        upright: the vertebra in its own frame.
        vertebra: the same as it was predicted.
        scan: HU of the scan, any orientation.
        plan: for which the risk is asked.
        engine: that made the prediction.
        model: leak head of the same checkpoint.

    Returns:
        None where the engine's graph gives no leak features.
    """
    if vertebra.leak_features is None:
        return None
    masks = {finding: finding_mask(upright, finding) for finding in ABLATED}
    present = [finding for finding in ABLATED if masks[finding].any()]
    if not present:
        return Drivers((), 0.0)
    changes = [painted(upright, masks[finding]) - upright.hu for finding in present]
    crops = _crops(upright, vertebra, scan, changes, engine)
    numbers = np.array([plan.numbers()] * len(crops), np.float32)
    out = engine.examine(crops, numbers)
    if "leak_features" not in out:
        return None
    risks = model.risks(out["leak_features"], numbers)
    own = model.risks(np.asarray(vertebra.leak_features)[None], numbers[:1])[0]
    drivers = [
        Driver(
            finding=finding,
            volume_ml=float(masks[finding].sum() * upright.voxel_ml),
            risk=_named(risks[0]),
            without=_named(risks[i]),
            difference=_named(risks[0] - risks[i]),
            removed=_removed(out["findings"], finding, i),
        )
        for i, finding in enumerate(present, start=1)
    ]
    drivers.sort(key=lambda driver: -abs(driver.difference["any"]))
    return Drivers(tuple(drivers), float(np.abs(risks[0] - own).max()))


def _crops(
    upright: UprightVertebra,
    vertebra: VertebraFindings,
    scan: Volume,
    changes: list[NDArray[np.float32]],
    engine: Engine,
) -> NDArray[np.float32]:
    """The network's input of the scan as it is and with each change of HU (X, Y, Z) on the upright grid."""
    affine = upright.grid.affine
    marker = Volume((upright.body | upright.posterior).astype(np.float32), affine)
    hu, marked, grid = examine_crop(scan, vertebra.centroid_mm, vertebra.axes, marker, engine.crop)
    # What was changed is added to the scan's own crop, so that nothing else differs between the two.
    altered = [hu + Volume(change, affine).resampled_to(grid, 1, 0.0).array for change in changes]
    return np.stack([stack_examine(image, marked) for image in (hu, *altered)])


def _removed(probabilities: NDArray[np.float32], finding: Ablated, row: int) -> float | None:
    if finding not in FINDINGS:
        return None
    seen = probabilities[:, FINDINGS.index(finding)].reshape(len(probabilities), -1).sum(1, dtype=np.float64)
    return float(np.clip(1 - seen[row] / max(float(seen[0]), 1e-6), 0.0, 1.0))


def _named(values: Array) -> dict[str, float]:
    return {name: float(value) for name, value in zip(LEAK_OUTCOMES, values, strict=True)}
