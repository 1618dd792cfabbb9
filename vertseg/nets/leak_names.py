"""Names of the leak head's inputs and the constants of its formulas, read without any network library."""

from typing import Final

from vertseg.labels import FINDINGS

REGIONS: Final = (
    "core", "core_upper", "core_lower", "core_front", "upper_endplate", "lower_endplate", "posterior_wall",
    "anterior_wall", "side_walls", "foramen", "around",
)  # fmt: skip
"""Core: the body without its outer layers; walls and endplates: those layers; foramen: around the middle of the
posterior wall; around: what lies next to the vertebra."""

THRESHOLDS: Final = (-0.3, 0.0, 0.15, 0.3, 0.5, 0.75, 1.25)
"""Normalised image (HU / 400 between -200 and 300 HU, see `preprocess.normalise_hu`): gas, fat, then denser bone."""

BARE: Final = (0.4, 0.7)
"""Normalised image that a wall with cortex reaches within a voxel."""

QUANTITIES: Final = (
    "value", "roughness", "resistance", *(f"above_{t}" for t in THRESHOLDS), *(f"bare_{t}" for t in BARE),
    *FINDINGS, "posterior",
)  # fmt: skip
"""Means in each region; resistance is the share of bone, bounded as the simulator's permeability bounds it; bare is
the share of voxels with nothing as dense in the 26 around them."""

GEOMETRY: Final = (
    "body", "posterior", "width", "depth", "height", "height_front", "height_middle", "height_back", "overlap",
)  # fmt: skip
"""Logarithms of voxel counts and of lengths in voxels; overlap is the marker's share inside the vertebra."""

SHELL_LAYERS: Final = 2
"""Thickness of walls and endplates in voxels."""

PLAN_INPUTS: Final = ("volume_ml", "viscosity", "approach")
TYPICAL_PLAN: Final = (4.0, 1.0, 0.5)
"""Stands in for an unknown input, beside a bias of its own."""

VOLUME_FLOOR_ML: Final = 0.25
VOLUME_SCALE_ML: Final = 5.0
LOG_BODY: Final = 8.0
"""About the logarithm of a usual body's voxels per ml, so that the gain of the relative volume and the base do not
fight."""

STANDARD_BOUND: Final = 5.0
"""Features are bounded to this many widths from the training crops' mean: nothing odd may run away."""


WALLS: Final = ("upper_endplate", "lower_endplate", "posterior_wall", "anterior_wall", "side_wall")
"""Walls that are unrolled onto a plane; of the two sides the worse one counts."""

DARK: Final = (0.3, 0.5, 0.7)
"""Normalised image below which a place of a wall holds no cortex."""

PALE: Final = (0.5, 0.7)
"""The same as share of the wall's own mean."""

WALL_GAPS: Final = (
    "brightness", "spread", *(f"dark_{t}" for t in DARK), *(f"pale_{t}" for t in PALE), "eaten",
    *(f"hole_{kind}_{window}" for kind in ("dark", "pale", "eaten") for window in (3, 5)),
)  # fmt: skip
"""Of the brightest voxel across a wall: mean and SD; logarithms of the areas that are dark, pale or eaten by a lesion;
how dark, pale or eaten the worst patch of 3 or 5 voxels is."""


def gap_names() -> tuple[str, ...]:
    """Names of the columns of `leak_gaps.gaps`."""
    return tuple(f"{wall}_{name}" for wall in WALLS for name in WALL_GAPS)


def descriptor_names() -> tuple[str, ...]:
    """Names of the columns of `leak_features.describe`."""
    table = [f"{region}_{quantity}" for region in REGIONS for quantity in QUANTITIES]
    return (*table, *(f"{region}_size" for region in REGIONS), *GEOMETRY)


BODY_COLUMN: Final = descriptor_names().index("body")
"""Logarithm of the body's size, which the plan's volume is compared with."""
