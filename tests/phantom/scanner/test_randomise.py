"""Appearance: untouched below its onset, wide above, bone mostly the brightest."""

import numpy as np
import torch

from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.scanner.randomise import WIDEST_SHARE, randomise_image, randomise_tissues
from vertseg.phantom.types import ScanConfig

HU = draw_anatomy(3, ScanConfig(appearance=0.0)).hu


def test_no_strength_changes_nothing() -> None:
    image = torch.randn((8, 9, 10), generator=torch.Generator().manual_seed(1)) * 300
    for strength in (0.0, 0.3, 0.6):
        for seed in range(30):
            assert randomise_tissues(HU, strength, np.random.default_rng(seed)) == HU
            assert randomise_image(image, strength, seed) is image


def test_full_strength_redraws_its_share() -> None:
    changed = [randomise_tissues(HU, 1.0, np.random.default_rng(s)) != HU for s in range(1500)]
    assert abs(np.mean(changed) - WIDEST_SHARE) < 0.04
    half = [randomise_tissues(HU, 0.8, np.random.default_rng(s)) != HU for s in range(1500)]
    assert abs(np.mean(half) - WIDEST_SHARE / 2) < 0.04


def test_redrawn_tissues_keep_names_spread_wide_and_bone_bright() -> None:
    drawn = [randomise_tissues(HU, 1.0, np.random.default_rng(s)) for s in range(3000)]
    drawn = [d for d in drawn if d != HU]
    assert all(d.keys() == HU.keys() for d in drawn)
    assert np.std([d["muscle"] for d in drawn]) > 40
    assert np.std([d["artery"] for d in drawn]) > 120
    brighter = [d["cortical"] > max(d["muscle"], d["organ"], d["disc"]) + 149 for d in drawn]
    assert np.mean(brighter) > 0.95
    assert all(d["air"] < -900 for d in drawn)


def test_image_is_changed_smoothly_and_repeatably() -> None:
    image = torch.full((24, 24, 24), 100.0)
    image[:4] = -1024.0
    for seed in range(60):
        out = randomise_image(image, 1.0, seed)
        if out is not image:
            break
    assert torch.equal(out, randomise_image(image, 1.0, seed))
    assert (out[:4] == -1024.0).all()
    inside = out[4:]
    assert inside.std() > 1.0
    assert inside.diff(dim=1).abs().max() < 0.35 * (inside.max() - inside.min())
