"""Organs that lie on one side of the spine: they give away a scan that is mirrored left to right."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.data.sets.problems import Problem, error

SIDES: Final[dict[str, int]] = {"liver": 1, "spleen": -1, "heart": -1, "stomach": -1}
"""1: the organ's centre lies to the right of the spine, -1: to the left."""

_CLEAR_MM: Final = 10.0


def check_sides(organs_mm: Mapping[str, NDArray[np.float64]], spine_mm: NDArray[np.float64]) -> list[Problem]:
    """An error where more organs lie on the wrong side than on the right one.

    Args:
        organs_mm: centres (3,) in world RAS mm, by names of `SIDES`.
        spine_mm: (n, 3) centres of vertebrae.
    """
    middle = spine_mm[:, 0].mean() if len(spine_mm) else 0.0
    side = {name: (place[0] - middle) * SIDES[name] for name, place in organs_mm.items() if name in SIDES}
    wrong = sorted(name for name, toward in side.items() if toward < -_CLEAR_MM)
    right = [name for name, toward in side.items() if toward > _CLEAR_MM]
    if len(wrong) <= len(right):
        return []
    return [
        error(
            "left and right",
            f"The scan looks mirrored left to right: {', '.join(wrong)} on the wrong side of the spine; export it "
            "again with its orientation (situs inversus, in about one person of 10,000, looks the same).",
        )
    ]
