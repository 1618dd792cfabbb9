"""The leak head: risk per route from a vertebra's features and the plan, monotone in the plan by construction."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vertseg.labels import LEAK_ROUTES, VISCOSITIES

PLAN_INPUTS: Final = ("volume_ml", "viscosity", "approach")
_PLAN_SCALE: Final = (5.0, float(len(VISCOSITIES) - 1), 1.0)
_HIDDEN: Final = 48


class LeakHead(nn.Module):
    """Logit per route = base + gain_volume * volume - gain_viscosity * viscosity + approach term.

    Both gains are softplus outputs, hence positive: risk never falls when volume rises or viscosity drops.
    An unknown (NaN) input contributes nothing but a learned bias of its own.
    """

    def __init__(self, bottleneck_channels: int, finding_channels: int) -> None:
        super().__init__()
        routes = len(LEAK_ROUTES)
        self.hidden = nn.Linear(2 * bottleneck_channels + finding_channels, _HIDDEN)
        self.base = nn.Linear(_HIDDEN, routes)
        self.gains = nn.Linear(_HIDDEN, 2 * routes)
        self.approach = nn.Linear(_HIDDEN, routes)
        self.unknown = nn.Parameter(torch.zeros(len(PLAN_INPUTS), routes))
        self.register_buffer("plan_scale", torch.tensor(_PLAN_SCALE), persistent=False)

    def forward(self, bottleneck: Tensor, marker: Tensor, findings: Tensor, plan: Tensor) -> Tensor:
        """Logits (N, 4) of `labels.LEAK_ROUTES`.

        Args:
            bottleneck: features (N, C, x, y, z).
            marker: (N, 1, X, Y, Z) in [0, 1], the vertebra looked at.
            findings: logits (N, F, X, Y, Z); only their extent is read, no gradient flows back.
            plan: (N, 3), see `PLAN_INPUTS`; NaN is unknown.
        """
        # A pool of a fixed factor, not an adaptive one, which ONNX has no operator for.
        weight = F.avg_pool3d(marker, marker.shape[2] // bottleneck.shape[2])
        masked = (bottleneck * weight).flatten(2).sum(2) / weight.flatten(2).sum(2).clamp_min(1e-3)
        extent = torch.log1p(findings.detach().sigmoid().flatten(2).sum(2))
        pooled = torch.cat([masked, bottleneck.flatten(2).mean(2), extent], 1)
        return self.logits(F.leaky_relu(self.hidden(pooled)), plan)

    def logits(self, hidden: Tensor, plan: Tensor) -> Tensor:
        """Logits (N, 4) from hidden features (N, H) and plans (N, 3); all of the monotony is in here."""
        scale = self.get_buffer("plan_scale")
        unknown = plan.isnan()
        known = torch.where(unknown, torch.zeros_like(plan), plan) / scale
        volume_gain, viscosity_gain = F.softplus(self.gains(hidden)).chunk(2, 1)
        total = (
            self.base(hidden)
            + volume_gain * known[:, 0:1]
            - viscosity_gain * known[:, 1:2]
            + self.approach(hidden) * known[:, 2:3]
        )
        result: Tensor = total + unknown.to(total.dtype) @ self.unknown
        return result


def any_leak(logits: Tensor) -> Tensor:
    """Probability (N,) of a leak by at least one route, 1 - prod(1 - p), from route logits (N, 4)."""
    return -torch.expm1(-F.softplus(logits).sum(-1))
