"""Marrow: its mean attenuation and the upright grain of its texture."""

from dataclasses import replace

import pytest
import torch

from tests.phantom.sick import paint


def test_marrow_has_the_patients_attenuation() -> None:
    painted = paint(lambda s: replace(s, sizes={**s.sizes, "foramen": -9.0}), 1.0)
    centre = [n // 2 for n in painted.hu.shape]
    block = painted.hu[
        centre[0] - 8 : centre[0] + 8, centre[1] + 8 : centre[1] + 18, centre[2] - 5 : centre[2] + 5
    ]
    assert float(block.mean()) == pytest.approx(165.0, abs=12.0)
    assert 8 < float(block.std()) < 45


def test_texture_runs_along_the_spine() -> None:
    painted = paint(lambda s: replace(s, sizes={**s.sizes, "foramen": -9.0}), 1.0)
    centre = [n // 2 for n in painted.hu.shape]
    block = painted.hu[
        centre[0] - 9 : centre[0] + 9, centre[1] + 6 : centre[1] + 18, centre[2] - 6 : centre[2] + 6
    ]

    def alike(axis: int) -> float:
        a, b = block.narrow(axis, 0, block.shape[axis] - 2), block.narrow(axis, 2, block.shape[axis] - 2)
        return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])

    assert alike(2) > alike(0) + 0.2 and alike(2) > alike(1) + 0.2
