"""Cubes whose Dice, surface Dice and Hausdorff distance are known, and MONAI's own figures."""

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from vertseg.evaluation.surfaces import bounding_box, overlap

SPACING = (1.0, 1.0, 2.0)


def cube(shift: int = 0, edge: int = 20) -> np.ndarray:
    mask = np.zeros((40, 40, 40), dtype=bool)
    mask[8 + shift : 8 + shift + edge, 8 : 8 + edge, 8 : 8 + edge] = True
    return mask


@pytest.mark.parametrize("shift", [0, 1, 2, 5])
def test_a_cube_shifted_by_known_millimetres(shift: int) -> None:
    found = overlap(cube(shift), cube(), SPACING)
    assert found.dice == pytest.approx(1 - shift / 20)
    assert found.hd95_mm == pytest.approx(shift, abs=1e-5)
    assert found.truth_ml == found.predicted_ml == pytest.approx(20 * 20 * 20 * 2 / 1000)
    if shift <= 1:
        assert found.nsd == pytest.approx(1.0)
    else:
        # The two faces across the shift, and bands on the other four, lie more than 1 mm away: each is near on at
        # least the four sides' common part.
        sides, faces = 2 * 20 * 20 + 2 * 20 * 40, 2 * 20 * 40
        common = sides * (20 - shift) / 20
        assert common / (sides + faces) < found.nsd < (common + 4 * sides / 20) / (sides + faces)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_figures_are_monais(shift: int, rng: np.random.Generator) -> None:
    truth = cube()
    predicted = np.roll(truth, shift, axis=1) & (rng.random(truth.shape) > 0.02)
    found = overlap(predicted, truth, SPACING)
    p, t = (torch.from_numpy(m)[None, None] for m in (predicted, truth))
    nsd = compute_surface_dice(p, t, [1.0], include_background=True, spacing=SPACING, use_subvoxels=True)
    assert found.nsd == pytest.approx(float(nsd), abs=1e-6)
    # MONAI takes whole surface voxels here and corners between voxels there: half a diagonal apart at most.
    hd95 = compute_hausdorff_distance(p, t, include_background=True, percentile=95, spacing=SPACING)
    assert found.hd95_mm == pytest.approx(float(hd95), abs=0.5 * np.linalg.norm(SPACING))


def test_empty_masks_have_no_distance() -> None:
    nothing = np.zeros_like(cube())
    both, missed, invented = overlap(nothing, nothing, SPACING), overlap(nothing, cube(), SPACING), overlap(
        cube(), nothing, SPACING
    )  # fmt: skip
    assert (both.dice, both.nsd, both.hd95_mm) == (None, None, None)
    assert (missed.dice, missed.nsd, missed.hd95_mm, missed.predicted_ml) == (0, 0, None, 0)
    assert (invented.dice, invented.truth_ml) == (0, 0) and invented.predicted_ml > 0


def test_a_mask_at_the_border_of_the_scan_has_a_surface_there() -> None:
    whole = np.ones((10, 10, 10), dtype=bool)
    assert overlap(whole, whole, SPACING).nsd == pytest.approx(1.0)
    assert overlap(whole, whole, SPACING).hd95_mm == 0


def test_the_box_holds_the_mask_and_its_margin() -> None:
    mask = np.zeros((10, 12, 14), dtype=bool)
    mask[4, 5:7, 13] = True
    assert bounding_box(mask, 2) == (slice(2, 7), slice(3, 9), slice(11, 14))
    assert bounding_box(np.zeros((3, 3, 3), dtype=bool)) is None
