from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vertseg.data.targets import offset_target
from vertseg.data.transforms import (
    ExamineAugmentation,
    ExamineVariation,
    LocateAugmentation,
    LocatePatch,
    cut_patch,
    unpack_examine,
)
from vertseg.labels import FINDINGS, N_LEVELS
from vertseg.nets.unet import OFFSET_SCALE_MM
from vertseg.preprocess import AIR_HU, CropSpec, point_marker

PATCH = (32, 32, 40)
CENTRES = {20: (15.0, 22.0, 30.0), 21: (17.5, 20.0, 17.0)}


@cache
def _scan() -> dict[str, np.ndarray]:
    """Two balls of known centres, brighter than what surrounds them."""
    shape = (36, 40, 48)
    level, centres = np.zeros(shape, np.uint8), np.full((N_LEVELS, 3), np.nan, np.float32)
    for number, centre in CENTRES.items():
        distance = np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) - np.array(centre), axis=-1)
        level[distance < 5] = number
        centres[number] = centre
    hu = np.where(level > 0, 20 * level.astype(int), 0).astype(np.int16)
    return {"hu": hu, "level": level, "tissue": (level > 0).astype(np.uint8), "centres_vox": centres}


@settings(max_examples=25)
@given(
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
    scale=st.floats(0.85, 1.15),
    mirror=st.booleans(),
    shift=st.tuples(*[st.floats(-3, 3)] * 3),
    stride=st.sampled_from([1, 2]),
)
def test_a_voxel_plus_its_offset_hits_its_centre_after_any_affine(
    angles: tuple[float, ...], scale: float, mirror: bool, shift: tuple[float, ...], stride: int
) -> None:
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix = rotation @ np.diag([-1.0 if mirror else 1.0, 1, 1]) * scale
    patch = cut_patch(_scan(), matrix, np.array([17.0, 20.0, 24.0]) + shift, PATCH)
    level = torch.as_tensor(patch["level"])[None, ::stride, ::stride, ::stride]
    target, mask = offset_target(level, torch.as_tensor(patch["centres_vox"])[None], 3.0, stride)
    hits = {}
    for number in CENTRES:
        own = mask & (level == number)
        assert own.sum() > 300 / stride**3
        position = torch.stack(torch.where(own)[1:], -1) * stride + (stride - 1) / 2
        hit = position + target.movedim(1, -1)[own] * (OFFSET_SCALE_MM / 3.0)
        assert torch.allclose(hit, hit[:1].expand_as(hit), atol=1e-3)
        hits[number] = hit[0].numpy()
    # Where the balls are in the augmented image, found without the table of centres.
    voxels = np.moveaxis(np.indices(PATCH), 0, -1)
    near = np.argmin([np.linalg.norm(voxels - hit, axis=-1) for hit in hits.values()], axis=0)
    for i, hit in enumerate(hits.values()):
        weight = np.where(near == i, np.maximum(patch["hu"][0], 0), 0)
        assert hit == pytest.approx(
            np.average(voxels.reshape(-1, 3), axis=0, weights=weight.ravel()), abs=0.1
        )


def test_voxels_without_a_known_centre_are_masked() -> None:
    level = torch.tensor([0, 20, 21, 26, 255], dtype=torch.uint8).view(1, 5, 1, 1)
    centres = torch.full((1, N_LEVELS, 3), float("nan"))
    centres[0, 20] = 1.0
    target, mask = offset_target(level, centres, 3.0, 1)
    assert mask.flatten().tolist() == [False, True, False, False, False]
    assert not target.isnan().any()


def test_a_patch_beyond_the_scan_is_air_and_background() -> None:
    patch = cut_patch(_scan(), np.eye(3), np.array([200.0, 20.0, 24.0]), PATCH)
    assert (patch["hu"] == AIR_HU).all()
    assert not patch["level"].any()
    assert not patch["tissue"].any()


def test_an_unmoved_patch_is_the_scan_itself() -> None:
    scan = _scan()
    patch = cut_patch(scan, np.eye(3), np.array([2 + 15.5, 4 + 15.5, 4 + 19.5]), PATCH)
    window = (slice(2, 34), slice(4, 36), slice(4, 44))
    assert np.array_equal(patch["level"], scan["level"][window])
    assert np.array_equal(patch["hu"][0], scan["hu"][window].astype(np.float32))
    assert patch["centres_vox"][20] == pytest.approx(np.array(CENTRES[20]) - [2, 4, 4])


def test_most_patches_show_bone_and_draws_are_repeatable() -> None:
    patch, scan = LocatePatch((16, 16, 16), LocateAugmentation(jitter=0.1)), _scan()
    patch.set_random_state(seed=3)
    seen = [bool(patch(scan)["level"].any()) for _ in range(60)]
    assert 0.75 < np.mean(seen) <= 1
    patch.set_random_state(seed=3)
    assert seen == [bool(patch(scan)["level"].any()) for _ in range(60)]


def test_validation_patches_are_upright_about_the_bone() -> None:
    first, second = (LocatePatch(PATCH, None)(_scan()) for _ in range(2))
    assert np.array_equal(first["hu"], second["hu"])
    bone = np.argwhere(first["level"] > 0).mean(axis=0)
    assert bone == pytest.approx((np.array(PATCH) - 1) / 2, abs=0.51)
    assert np.unique(first["hu"]).tolist() == [0, 400, 420]


SPEC = CropSpec((12, 10, 8), 4.0)


def _crop() -> dict[str, np.ndarray]:
    numbers = np.arange(np.prod(SPEC.shape), dtype=np.int16).reshape(SPEC.shape)
    findings = np.stack([numbers % (i + 2) == 0 for i in range(len(FINDINGS))])
    return {
        "hu": numbers,
        "tissue": (numbers % 3).astype(np.uint8),
        "marker": (numbers % 256).astype(np.uint8),
        "findings": np.packbits(findings, axis=None),
        "leak": np.ones(4, np.float32),
        "plan": np.array([4, 1, 0], np.float32),
    }


def test_packed_findings_come_back() -> None:
    sample, hu = unpack_examine(_crop()), _crop()["hu"]
    assert sample["findings"].shape == (len(FINDINGS), *SPEC.shape)
    assert np.array_equal(sample["findings"][1], hu % 3 == 0)


def test_every_array_of_a_crop_moves_alike() -> None:
    """Labels here are functions of the HU, so they must still be so after any mirror and shift."""
    augmentation = ExamineAugmentation(flip=0.5, shift_vox=3, point_marker=0.0, unknown=0.5)
    variation, moved, plans = ExamineVariation(SPEC, augmentation), 0, []
    variation.set_random_state(seed=0)
    for _ in range(12):
        sample = variation(unpack_examine(_crop()))
        hu = sample["hu"][0]
        assert hu.shape == SPEC.shape
        assert np.array_equal(sample["tissue"], hu % 3)
        assert np.array_equal(sample["findings"][2], hu % 4 == 0)
        assert np.allclose(sample["marker"], (hu % 256) / 255)
        moved += not np.array_equal(hu, _crop()["hu"])
        plans.append(sample["plan"])
    assert moved >= 10
    assert 0.2 < np.isnan(plans).mean() < 0.8
    assert np.nanmax(plans, axis=0).tolist() == [4, 1, 0]


def test_a_crop_may_know_its_centre_only() -> None:
    variation = ExamineVariation(SPEC, ExamineAugmentation(point_marker=1.0))
    assert np.array_equal(variation(unpack_examine(_crop()))["marker"], point_marker(SPEC))
