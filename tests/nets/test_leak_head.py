"""The leak head: monotone in the plan, deaf to what it must not hear, and aware of what it has not seen."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vertseg.labels import FINDINGS, LEAK_ROUTES
from vertseg.nets.leak_features import describe
from vertseg.nets.leak_head import LeakHead
from vertseg.nets.leak_names import GEOMETRY, QUANTITIES, REGIONS, TYPICAL_PLAN, descriptor_names
from vertseg.training.leak_fit import fit_oddness, standardise

NAN = float("nan")
FILTERS = (8, 8, 16)
SIZE = LeakHead.feature_count(FILTERS)


def _head(seed: int, scale: float) -> LeakHead:
    torch.manual_seed(seed)
    head = LeakHead(FILTERS).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(scale).add_(torch.randn_like(parameter) * 0.3)
    return head


def _features(seed: int, count: int) -> torch.Tensor:
    return torch.randn(count, SIZE, generator=torch.Generator().manual_seed(seed)) * 3


@given(
    seed=st.integers(0, 10_000),
    scale=st.floats(0.1, 20),
    low_ml=st.floats(0, 12),
    more_ml=st.floats(0, 12),
    viscosity=st.sampled_from([0.0, 1.0, 2.0, NAN]),
    approach=st.sampled_from([0.0, 1.0, NAN]),
)
def test_more_volume_never_lowers_a_risk(
    seed: int, scale: float, low_ml: float, more_ml: float, viscosity: float, approach: float
) -> None:
    head, features = _head(seed, scale), _features(seed, 3)
    plans = [torch.tensor([[v, viscosity, approach]] * 3) for v in (low_ml, low_ml + more_ml)]
    low, high = (head(features, p) for p in plans)
    assert (high >= low - 1e-3 - 1e-5 * low.abs()).all()


@given(
    seed=st.integers(0, 10_000),
    volume=st.sampled_from([0.0, 3.0, 9.0, NAN]),
    thin=st.floats(0, 2),
    thicker=st.floats(0, 2),
)
def test_more_viscosity_never_raises_a_risk(seed: int, volume: float, thin: float, thicker: float) -> None:
    head, features = _head(seed, 3.0), _features(seed, 3)
    plans = [torch.tensor([[volume, v, 0.0]] * 3) for v in (thin, thin + thicker)]
    runny, stiff = (head(features, p) for p in plans)
    assert (stiff <= runny + 1e-3 + 1e-5 * runny.abs()).all()


def test_an_unknown_input_is_the_typical_one_and_a_bias() -> None:
    head, features = _head(1, 1.0), _features(1, 4)
    known = head(features, torch.tensor([TYPICAL_PLAN] * 4))
    for i in range(3):
        plan = torch.tensor([TYPICAL_PLAN] * 4)
        plan[:, i] = NAN
        assert torch.allclose(head(features, plan) - known, head.unknown[i].expand(4, -1), atol=1e-3)


def test_no_gradient_flows_into_the_network() -> None:
    inputs = [torch.randn(1, c, 16, 16, 16, requires_grad=True) for c in (1, 1, 3, len(FINDINGS))]
    inner = [torch.randn(1, c, n, n, n, requires_grad=True) for c, n in ((16, 4), (8, 8), (8, 16))]
    head = _head(3, 1.0)
    features = head.features(inner, torch.cat(inputs[:2], 1).detach(), inputs[2], inputs[3])
    assert features.shape == (1, SIZE)
    assert not features.requires_grad


def _box(low: int, high: int) -> torch.Tensor:
    """Tissue logits (1, 3, 32, 32, 32) of a cube of body."""
    body = torch.zeros(32, 32, 32)
    body[low:high, low:high, low:high] = 1
    return torch.stack([1 - body, body, torch.zeros_like(body)])[None] * 40 - 20


def _column(values: torch.Tensor, name: str) -> float:
    return float(values[0, descriptor_names().index(name)])


def test_a_cube_is_measured() -> None:
    """16^3 voxels of body at 200 HU (0.5) in soft tissue at 0 HU."""
    tissue = _box(8, 24)
    image = tissue[:, 1:2].clamp(0, 1) * 0.5
    found = describe(
        image, tissue[:, 1:2].clamp(0, 1), tissue, torch.full((1, len(FINDINGS), 32, 32, 32), -20.0)
    )
    assert found.shape == (1, len(REGIONS) * (len(QUANTITIES) + 1) + len(GEOMETRY))
    assert _column(found, "body") == pytest.approx(np.log(16**3 + 1), abs=0.01)
    assert _column(found, "core_size") == pytest.approx(np.log(12**3 + 1), abs=0.01)
    assert _column(found, "core_value") == pytest.approx(0.5, abs=1e-3)
    assert _column(found, "core_resistance") == pytest.approx(0.5 / 3.5, abs=1e-3)
    assert _column(found, "around_value") == pytest.approx(0.0, abs=1e-3)
    assert _column(found, "overlap") == pytest.approx(1.0, abs=1e-3)
    assert _column(found, "height_front") == pytest.approx(_column(found, "height_back"), abs=0.02)
    assert _column(found, "width") == pytest.approx(np.log(8.1), abs=0.02)


def test_a_wedge_is_low_in_front() -> None:
    """The front third of a cube cut to half its height: its own height halves, the back's stays."""
    cube, wedge = _box(8, 24), _box(8, 24)
    wedge[:, 1, :, 16:, 16:24], wedge[:, 0, :, 16:, 16:24] = -20, 20
    empty = torch.full((1, len(FINDINGS), 32, 32, 32), -20.0)
    whole, cut = (
        describe(torch.zeros(1, 1, 32, 32, 32), t[:, 1:2].clamp(0, 1), t, empty) for t in (cube, wedge)
    )
    assert _column(whole, "height_front") - _column(cut, "height_front") == pytest.approx(np.log(2), abs=0.15)
    assert _column(whole, "height_back") - _column(cut, "height_back") == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ("posterior_wall", (slice(14, 18), slice(8, 10), slice(14, 18))),
        ("upper_endplate", (slice(14, 18), slice(14, 18), slice(22, 24))),
        ("side_walls", (slice(8, 10), slice(14, 18), slice(14, 18))),
        ("anterior_wall", (slice(14, 18), slice(22, 24), slice(14, 18))),
    ],
)
def test_a_finding_counts_where_it_lies(region: str, place: tuple[slice, ...]) -> None:
    """A lesion of the shell shows in its own region more than in any other wall."""
    tissue = _box(8, 24)
    findings = torch.full((1, len(FINDINGS), 32, 32, 32), -20.0)
    findings[(0, FINDINGS.index("lytic_lesion"), *place)] = 20.0
    found = describe(torch.zeros(1, 1, 32, 32, 32), tissue[:, 1:2].clamp(0, 1), tissue, findings)
    walls = [r for r in REGIONS if r.endswith(("wall", "walls", "plate"))]
    shares = {r: _column(found, f"{r}_lytic_lesion") for r in walls}
    assert max(shares, key=shares.__getitem__) == region
    assert shares[region] > 4 * max(v for r, v in shares.items() if r != region)


def test_a_mirrored_vertebra_is_described_alike() -> None:
    generator = torch.Generator().manual_seed(5)
    tissue, image = _box(6, 22), torch.randn(1, 1, 32, 32, 32, generator=generator)
    findings, marker = (
        torch.randn(1, len(FINDINGS), 32, 32, 32, generator=generator),
        tissue[:, 1:2].clamp(0, 1),
    )
    there = describe(image, marker, tissue, findings)
    back = describe(image.flip(2), marker.flip(2), tissue.flip(2), findings.flip(2))
    assert torch.allclose(there, back, atol=1e-3)


def test_oddness_is_near_one_for_what_was_seen_and_grows() -> None:
    """Features of one spread, half of them fitted: the others are as usual, and what is ten widths off is not."""
    head = LeakHead(FILTERS).eval()
    mixing = torch.randn(30, SIZE, generator=torch.Generator().manual_seed(8))
    latent = torch.randn(800, 30, generator=torch.Generator().manual_seed(9))
    features = latent @ mixing + 0.5 * torch.randn(800, SIZE, generator=torch.Generator().manual_seed(10)) + 4
    standardise(head, features[:400])
    fit_oddness(head, features[:400])
    usual = head.oddness(features[400:])
    assert 0.8 < float(usual.mean()) < 1.4
    shifted = features[400:] + 10 * features.std(0)
    assert float(head.oddness(shifted).min()) > float(usual.max())
    assert head(features[:2], torch.full((2, 3), NAN)).shape == (2, len(LEAK_ROUTES))
