"""The examine network on one upright crop per vertebra."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.engines import Engine
from vertseg.inference.findings import Vertebra
from vertseg.inference.in_threads import in_threads
from vertseg.inference.options import PredictOptions
from vertseg.labels import LEAK_ROUTES
from vertseg.preprocess import examine_input
from vertseg.volume import Grid, Volume


@dataclass(frozen=True, eq=False)
class Examined:
    """Outputs of the examine network for one vertebra.

    Attributes:
        vertebra: as located.
        grid: the crop's grid.
        tissue: (3, X, Y, Z) probabilities in `labels.Tissue` order.
        findings: (F, X, Y, Z) probabilities in `labels.FINDINGS` order.
        leak: probability per leak route, and "any".
        leak_confidence: that "any leak" or "no leak", whichever is likelier, comes true; 0.5 to 1.
        leak_abstained: whether the probabilities should not be used, see `leak_risk`.
        leak_features: (D,) of the leak head; None where the graph does not give them.
    """

    vertebra: Vertebra
    grid: Grid
    tissue: NDArray[np.float32]
    findings: NDArray[np.float32]
    leak: dict[str, float]
    leak_confidence: float = 0.5
    leak_abstained: bool = True
    leak_features: NDArray[np.float32] | None = None


def examine_vertebrae(
    volume: Volume, vertebrae: Sequence[Vertebra], engine: Engine, options: PredictOptions
) -> list[Examined]:
    """Outputs for each vertebra, in the given order.

    Args:
        volume: RAS scan in HU.
        vertebrae: which to crop.
        engine: runs the network.
        options: batch size, plan and progress.
    """
    examined: list[Examined] = []

    def cut(v: Vertebra) -> tuple[NDArray[np.float32], Grid]:
        return examine_input(volume, v.centroid_mm, v.axes, v.marker, engine.crop)

    crops = in_threads(cut, vertebrae)
    for first in range(0, len(vertebrae), options.batch):
        batch = vertebrae[first : first + options.batch]
        inputs = list(islice(crops, len(batch)))
        plans = [options.plan if options.plan_of is None else options.plan_of(v) for v in batch]
        plan = np.array([p.numbers() for p in plans], dtype=np.float32)
        out = engine.examine(np.stack([crop for crop, _ in inputs]), plan)
        for i, vertebra in enumerate(batch):
            routes = {route: float(p) for route, p in zip(LEAK_ROUTES, out["leak"][i], strict=True)}
            leak = {**routes, "any": float(out["any_leak"][i])}
            examined.append(
                Examined(
                    vertebra=vertebra,
                    grid=inputs[i][1],
                    tissue=out["tissue"][i],
                    findings=out["findings"][i],
                    leak=leak,
                    leak_confidence=float(out["leak_confidence"][i]),
                    leak_abstained=bool(out["leak_abstained"][i]),
                    leak_features=out["leak_features"][i] if "leak_features" in out else None,
                )
            )
        options.progress("examine", len(examined), len(vertebrae))
    return examined
