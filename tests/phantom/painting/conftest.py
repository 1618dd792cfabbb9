"""A phantom's labels in TotalSegmentator's numbers, as a map to paint on."""

from dataclasses import replace

import numpy as np
import pytest

from vertseg.labels import LUMBAR, SACRUM, TOTALSEGMENTATOR_LEVELS
from vertseg.phantom import PhantomScan, ScanConfig, render_scan
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy, labelled_anatomy
from vertseg.volume import Volume

SEED = 5
PHANTOM = ScanConfig(field="lumbar", spacing_mm=(2.0, 2.0, 2.5), pathology=0.0)
LIVER, KIDNEY_RIGHT, KIDNEY_LEFT, MUSCLE_LEFT, MUSCLE_RIGHT = 5, 2, 3, 86, 87
ORGANS = {
    LIVER: (0.78, 0.62), 1: (0.2, 0.5), KIDNEY_RIGHT: (0.75, 0.4), KIDNEY_LEFT: (0.25, 0.4), 52: (0.45, 0.85),
    20: (0.5, 0.95), MUSCLE_LEFT: (0.35, 0.08), MUSCLE_RIGHT: (0.65, 0.08), 21: (0.6, 0.75),
}  # fmt: skip
"""Class number -> centre (share of x and y) of a column-shaped stand-in for the organ."""


@pytest.fixture(scope="package")
def phantom() -> PhantomScan:
    """A healthy phantom about its lumbar spine, from the middle of T12 down."""
    scan = render_scan(SEED, PHANTOM)
    level = scan.level.array
    at = np.argwhere((level >= LUMBAR[0]) & (level <= SACRUM))
    low = np.maximum(at.min(0) - [18, 8, 0], 0)
    top = int(np.argwhere(level == LUMBAR[0])[:, 2].max())
    high = np.minimum([*(at.max(0) + 19)[:2], top], level.shape)
    parts = {name: getattr(scan, name).cropped(low, high) for name in ("hu", "level", "tissue")}
    return replace(scan, **parts)


@pytest.fixture(scope="package")
def labels(phantom: PhantomScan) -> Volume:
    """The phantom's levels in TotalSegmentator's numbers, with stand-ins for organs around them."""
    table = np.zeros(32, np.uint8)
    for number, level in TOTALSEGMENTATOR_LEVELS.items():
        table[level] = number
    array = table[phantom.level.array]
    free = array == 0
    reach = np.ceil(0.06 * np.array(array.shape)).astype(int)
    for number, share in ORGANS.items():
        x, y = (round(s * n) for s, n in zip(share, array.shape[:2], strict=True))
        block = np.zeros_like(free)
        block[max(0, x - reach[0]) : x + reach[0], max(0, y - reach[1]) : y + reach[1], 4:-4] = True
        array[block & free] = number
    return phantom.level.with_array(array)


@pytest.fixture(scope="package")
def three_levels(labels: Volume) -> Volume:
    """L2 to L4 of it, of which L3 is whole."""
    at = np.argwhere((labels.array == 30) | (labels.array == 28))[:, 2]
    low, high = np.percentile(at, [10, 90]).astype(int)
    return labels.cropped((0, 0, low), (*labels.array.shape[:2], high))


@pytest.fixture(scope="package")
def anatomy(labels: Volume) -> LabelledAnatomy:
    return labelled_anatomy(labels, "totalsegmentator")
