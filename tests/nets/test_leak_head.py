import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from vertseg.labels import FINDINGS, LEAK_ROUTES
from vertseg.nets.leak_head import LeakHead, any_leak

NAN = float("nan")


def _head(seed: int, scale: float) -> LeakHead:
    torch.manual_seed(seed)
    head = LeakHead(8, len(FINDINGS))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(scale).add_(torch.randn_like(parameter) * 0.3)
    return head


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
    head, hidden = _head(seed, scale), torch.randn(3, 48, generator=torch.manual_seed(seed)) * 5
    plans = [torch.tensor([[v, viscosity, approach]] * 3) for v in (low_ml, low_ml + more_ml)]
    low, high = (head.logits(hidden, p) for p in plans)
    assert (high >= low - 1e-4).all()


@given(
    seed=st.integers(0, 10_000),
    volume=st.sampled_from([0.0, 3.0, 9.0, NAN]),
    thin=st.floats(0, 2),
    thicker=st.floats(0, 2),
)
def test_more_viscosity_never_raises_a_risk(seed: int, volume: float, thin: float, thicker: float) -> None:
    head, hidden = _head(seed, 3.0), torch.randn(3, 48, generator=torch.manual_seed(seed)) * 5
    plans = [torch.tensor([[volume, v, 0.0]] * 3) for v in (thin, thin + thicker)]
    runny, stiff = (any_leak(head.logits(hidden, p)) for p in plans)
    assert (stiff <= runny + 1e-5).all()


def test_unknown_inputs_teach_their_bias_only() -> None:
    head = _head(1, 1.0)
    head.logits(torch.randn(2, 48), torch.full((2, 3), NAN)).sum().backward()
    assert head.gains.weight.grad is not None
    assert not head.gains.weight.grad.any()
    assert not head.approach.weight.grad.any()
    assert head.unknown.grad is not None
    assert (head.unknown.grad == 2).all()


def test_any_leak_is_one_minus_the_product_of_none() -> None:
    logits = torch.randn(50, len(LEAK_ROUTES), dtype=torch.float64)
    expected = 1 - np.prod(1 - logits.sigmoid().numpy(), axis=1)
    assert np.allclose(any_leak(logits).numpy(), expected)


def test_the_marker_chooses_what_is_pooled() -> None:
    """Features outside the marked vertebra reach the head through the global mean only."""
    head = _head(2, 1.0)
    marker = torch.zeros(1, 1, 16, 16, 16)
    marker[..., :8] = 1
    findings = torch.zeros(1, len(FINDINGS), 16, 16, 16)
    plan = torch.full((1, 3), NAN)
    features = torch.randn(1, 8, 4, 4, 4)
    swapped = features.flip(-1)
    with torch.no_grad():
        first, second = (head(f, marker, findings, plan) for f in (features, swapped))
        uniform = [head(f, torch.ones_like(marker), findings, plan) for f in (features, swapped)]
    assert not torch.allclose(first, second)
    assert torch.allclose(uniform[0], uniform[1], atol=1e-5)
