"""A leak head of known weights, and a prediction to ask it about."""

import numpy as np
from numpy.typing import NDArray

from vertseg.inference.findings import VertebraFindings
from vertseg.inference.leak_model import LeakModel
from vertseg.inference.leak_risk import LeakRule, RuleDraws
from vertseg.labels import LEAK_ROUTES
from vertseg.nets.leak_names import descriptor_names
from vertseg.planning.measures import Measures
from vertseg.planning.upright import UprightVertebra

RULE = LeakRule((1.0,) * 4, (0.0,) * 4, 0.0, oddness_limit=1.5, least_confidence=0.55)
DRAWS = RuleDraws(
    ((0.9,) * 4, (1.1,) * 4, (1.0,) * 4), ((-0.3,) * 4, (0.0,) * 4, (0.3,) * 4), (0.0, 0.1, 0.0)
)


def drawn_model(route: str, column: int, weight: float, draws: RuleDraws | None = None) -> LeakModel:
    """A head whose logit of one route is `weight` times one feature above its base of -1; the plan acts alike on all."""
    size, hidden = len(descriptor_names()) + 8, 4
    weights = {
        "hidden.weight": np.zeros((hidden, size), np.float32), "hidden.bias": np.zeros(hidden, np.float32),
        "base.weight": np.zeros((4, hidden), np.float32), "base.bias": np.full(4, -1.0, np.float32),
        "gains.weight": np.zeros((16, hidden), np.float32), "gains.bias": np.full(16, -1.0, np.float32),
        "approach.weight": np.zeros((4, hidden), np.float32), "approach.bias": np.full(4, 0.1, np.float32),
        "unknown": np.full((3, 4), 0.2, np.float32), "centre": np.zeros(size, np.float32),
        "width": np.ones(size, np.float32), "odd_axes": np.zeros((24, size), np.float32),
        "odd_gain": np.zeros(24, np.float32), "odd_rest": np.ones((), np.float32),
    }  # fmt: skip
    # The log of the body's voxels at which the relative gain vanishes at 1 ml.
    weights["centre"][descriptor_names().index("body")] = 8.0
    weights["hidden.weight"][0, column] = weight
    weights["base.weight"][LEAK_ROUTES.index(route), 0] = 1.0
    return LeakModel(weights, RULE, draws)


def predicted(vertebra: UprightVertebra, features: NDArray[np.float32] | None) -> VertebraFindings:
    """A prediction of a drawn vertebra with these leak features."""
    if features is not None:
        features = features.copy()
        features[descriptor_names().index("body")] = 8.0
    centre = vertebra.centre_mm
    return VertebraFindings(
        level=vertebra.level,
        confidence=1.0,
        centroid_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        axes=vertebra.axes,
        cut_by_field=False,
        measures=Measures(**dict.fromkeys(Measures.__dataclass_fields__, 0.0)),  # type: ignore[arg-type]
        leak={},
        leak_features=features,
    )
