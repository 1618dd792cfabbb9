"""Two neighbours that the votes made one candidate are taken apart at the disc between them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.inference.instances import Instance, make_instance
from vertseg.inference.located import Located
from vertseg.inference.priors import SPACING_MM, expected

_TALL_SHARE = 1.4
_VALLEY_WINDOW = (0.28, 0.72)
_VALLEY_DEPTH = 0.85
_POSTERIOR_DROP_SHARE = 0.35


def split_merged(candidates: list[Instance], located: Located) -> list[Instance]:
    """Candidates, those as tall as two vertebrae with a waist between split in two.

    A body fills about 0.8 of the distance to its neighbour; two with their disc fill 1.8 of it.
    """
    up = _column_direction(candidates)
    parts: list[Instance] = []
    for candidate in candidates:
        parts.extend(_split(candidate, up, located))
    return parts


def _column_direction(candidates: list[Instance]) -> NDArray[np.float64]:
    """Mean direction of the column toward the head; the scan's up where there is no column."""
    world_up = np.array([0.0, 0.0, 1.0])
    if len(candidates) < 3:
        return world_up
    centres = np.stack([c.centre_mm for c in candidates])
    weights = np.array([c.body_ml for c in candidates])
    middle = np.average(centres, axis=0, weights=weights)
    _, _, directions = np.linalg.svd((centres - middle) * np.sqrt(weights)[:, None])
    up = directions[0] if directions[0][2] > 0 else -directions[0]
    return np.asarray(up if up[2] > 0.5 else world_up)


def _split(c: Instance, up: NDArray[np.float64], located: Located) -> list[Instance]:
    spacing = located.grid.spacing_mm[0]
    height = located.grid.world(c.voxels) @ up
    body_height = height[c.is_body]
    if body_height.size < 16:
        return [c]
    low, high = np.quantile(body_height, [0.01, 0.99])
    expected_mm = expected(SPACING_MM, c.level)
    if high - low + spacing < _TALL_SHARE * expected_mm:
        return [c]
    bins = max(4, int(np.ceil((high - low) / spacing)))
    profile, edges = np.histogram(body_height, bins=bins, range=(low, high))
    profile = ndimage.gaussian_filter1d(profile.astype(np.float64), 0.8)
    start, stop = (int(bins * share) for share in _VALLEY_WINDOW)
    valley = start + int(profile[start : stop + 1].argmin())
    shoulders = min(profile[:valley].max(initial=0.0), profile[valley + 1 :].max(initial=0.0))
    if profile[valley] > _VALLEY_DEPTH * shoulders:
        return [c]
    cut = float(edges[valley] + edges[valley + 1]) / 2
    upper = np.where(c.is_body, height > cut, height > cut - _POSTERIOR_DROP_SHARE * expected_mm)
    return [make_instance(located, c.voxels[part], c.is_body[part], None) for part in (upper, ~upper)]
