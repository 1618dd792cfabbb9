"""What the sizes of vertebrae let the postprocessing expect."""

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import LEVEL_NUMBERS, N_LEVELS, VERTEBRA_LEVELS
from vertseg.phantom.patient.morphometry import LEVEL_SIZES

LIVING_FACTOR = 1.1
"""Living adults' bodies are that much larger than the cadavers' of the morphometry tables."""
_BODY_FILL = 0.8
"""Volume of a body over that of the box of its width, depth and height (an ellipse has pi / 4)."""


def _by_level(value: dict[int, float]) -> NDArray[np.float64]:
    table = np.full(N_LEVELS, np.nan)
    for level, number in value.items():
        table[level] = number
    return table


SPACING_MM: NDArray[np.float64] = _by_level(
    {n: LIVING_FACTOR * s["height"] + s["disc"] for n, s in LEVEL_SIZES.items()}
)
"""Distance from a level's body centre to the next one's, in mm, indexed by level number."""

BODY_ML: NDArray[np.float64] = _by_level(
    {
        n: _BODY_FILL * LIVING_FACTOR**3 * s["width"] * s["depth"] * s["height"] / 1000.0
        for n, s in LEVEL_SIZES.items()
    }
)
"""Volume of a whole body in ml, indexed by level number."""

SACRUM_SPACING_MM = float(SPACING_MM[LEVEL_NUMBERS["L5"]])


def expected(table: NDArray[np.float64], level_probabilities: NDArray[np.float64]) -> float:
    """Expectation of a per-level table under level probabilities (29,)."""
    weights = np.asarray(level_probabilities, dtype=np.float64)[list(VERTEBRA_LEVELS)]
    values = table[list(VERTEBRA_LEVELS)]
    total = weights.sum()
    return float((weights * values).sum() / total) if total > 1e-6 else float(np.median(values))
