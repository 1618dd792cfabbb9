"""PROVISIONAL synthetic leak labels: a simple rule, to be replaced by the injection simulator.

The rule only orders cases sensibly: risk rises with injected volume, with low viscosity, with a broken wall or
cortex and with a fractured endplate. Its coefficients are chosen by hand so that about 40 % of 4 ml injections
leak somewhere, the order of published series; they are no fit and no evidence.
"""

import numpy as np

from vertseg.phantom.types import Array, VertebraShape

PROVISIONAL_RULE = "provisional_rule_v1"


def draw_plan(rng: np.random.Generator) -> Array:
    """(3,) cement volume in ml (1-8), viscosity index (0 low, 2 high), approach index (0 unipedicular)."""
    return np.array([rng.uniform(1.0, 8.0), float(rng.integers(0, 3)), float(rng.integers(0, 2))])


def leak_probabilities(
    shape: VertebraShape, wall_defect_mm2: float, trabecular_hu: float, plan: Array
) -> Array:
    """(4,) probability of a leak by route, in the order of `vertseg.labels.LEAK_ROUTES` (B, S, C, D)."""
    volume, viscosity, approach = plan
    broken = sum(lesion.breaks_cortex for lesion in shape.lesions)
    push = 0.45 * (volume - 4.0) - 0.6 * (viscosity - 1.0) - 0.15 * approach
    porous = np.clip((150.0 - trabecular_hu) / 100.0, -1.0, 1.0)
    wide = shape.sizes["foramen"] - 2.3
    logits = np.array([
        -2.5 + push + 0.5 * wide + 0.4 * porous,
        -2.0 + push + 0.5 * porous,
        -3.4 + push + 1.1 * min(broken, 2) + 1.7 * min(wall_defect_mm2 / 60.0, 2.0),
        -2.5 + push + 3.4 * shape.height_loss,
    ])  # fmt: skip
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
