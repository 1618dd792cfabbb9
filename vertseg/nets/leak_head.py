"""The leak head: risk per route from what was measured of a vertebra and the plan, monotone in the plan by construction."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vertseg.labels import LEAK_ROUTES, VISCOSITIES
from vertseg.nets.leak_features import body_place, describe
from vertseg.nets.leak_gaps import gaps
from vertseg.nets.leak_names import (
    BODY_COLUMN,
    LOG_BODY,
    PLAN_INPUTS,
    STANDARD_BOUND,
    TYPICAL_PLAN,
    VOLUME_FLOOR_ML,
    VOLUME_SCALE_ML,
    descriptor_names,
    gap_names,
)

ODDNESS_AXES: Final = 24
"""Directions of the features' spread that the measure of oddness knows one by one; the rest share one width."""

_HIDDEN: Final = 32


class LeakHead(nn.Module):
    """Logit per route from features of a vertebra and the plan, and how odd the features are.

    logit = base + a log(volume / body) + b volume - c [viscosity above low] - d [above medium] + e approach, where all
    six are read from the vertebra and a, b, c and d are softplus outputs, hence positive: risk never falls when volume
    rises or viscosity drops. The features only read the network: no gradient flows into it, so that the leaks, which
    are noisy, cannot spoil what it draws.

    What is fitted rather than trained is kept in buffers that travel with the weights into every engine: mean and width
    of the features, and their spread in training crops. The calibration is not in here: it is fitted on other crops,
    kept in the checkpoint's JSON and applied by `inference.leak_risk`.

    Args:
        filters: channels of the U-Net, from full resolution to the bottleneck.
        measures_gaps: False for a head that was fitted before `leak_gaps` were among the features.
    """

    def __init__(self, filters: Sequence[int], dropout: float = 0.3, measures_gaps: bool = True) -> None:
        super().__init__()
        self.measures_gaps = measures_gaps
        routes, size = len(LEAK_ROUTES), self.feature_count(filters, measures_gaps)
        self.hidden = nn.Linear(size, _HIDDEN)
        self.dropout = nn.Dropout(dropout)
        self.base = nn.Linear(_HIDDEN, routes)
        self.gains = nn.Linear(_HIDDEN, (1 + len(VISCOSITIES)) * routes)
        self.approach = nn.Linear(_HIDDEN, routes)
        self.unknown = nn.Parameter(torch.zeros(len(PLAN_INPUTS), routes))
        for name, value in {
            "centre": torch.zeros(size), "width": torch.ones(size),
            "odd_axes": torch.zeros(ODDNESS_AXES, size), "odd_gain": torch.zeros(ODDNESS_AXES),
            "odd_rest": torch.ones(()),
        }.items():  # fmt: skip
            self.register_buffer(name, value)

    @staticmethod
    def feature_count(filters: Sequence[int], measures_gaps: bool = True) -> int:
        """D of `features` for a U-Net of these channels."""
        return len(descriptor_names()) + sum(filters) + (len(gap_names()) if measures_gaps else 0)

    def features(self, inner: Sequence[Tensor], image: Tensor, tissue: Tensor, findings: Tensor) -> Tensor:
        """What is measured of a vertebra (N, D): `leak_features.describe`, inner features averaged over the body, `leak_gaps`.

        Args:
            inner: features of the U-Net from the bottleneck to full resolution, each (N, C, x, y, z).
            image: the network's input (N, 2, X, Y, Z): normalised image and marker.
            tissue: logits (N, 3, X, Y, Z).
            findings: logits (N, F, X, Y, Z).
        """
        parts = [describe(image[:, :1], image[:, 1:2], tissue, findings)]
        body = tissue.detach().float().softmax(1)[:, 1:2]
        for feature in inner:
            weight = F.avg_pool3d(body, body.shape[2] // feature.shape[2])
            total = weight.flatten(1).sum(1, keepdim=True).clamp_min(1e-3)
            parts.append((feature.detach().float() * weight).flatten(2).sum(2) / total)
        if self.measures_gaps:
            hu, marks = image[:, :1].detach().float(), findings.detach().float().sigmoid()
            parts.append(gaps(hu, body, marks, body_place(body)[0]))
        return torch.cat(parts, 1)

    def forward(self, features: Tensor, plan: Tensor) -> Tensor:
        """Logits (N, 4) of `labels.LEAK_ROUTES`, not calibrated.

        Args:
            features: (N, D), see `features`.
            plan: (N, 3), see `PLAN_INPUTS`; NaN is unknown.
        """
        hidden = self.dropout(F.leaky_relu(self.hidden(self.standardised(features))))
        return self.logits(hidden, features[:, BODY_COLUMN : BODY_COLUMN + 1], plan)

    def standardised(self, features: Tensor) -> Tensor:
        """Features (N, D) in widths from the training crops' mean, bounded."""
        return ((features - self.get_buffer("centre")) / self.get_buffer("width")).clamp(
            -STANDARD_BOUND, STANDARD_BOUND
        )

    def logits(self, hidden: Tensor, log_body: Tensor, plan: Tensor) -> Tensor:
        """Logits (N, 4) from hidden features (N, H), log body size (N, 1) and plans (N, 3); the monotony is in here."""
        unknown = plan.isnan()
        known = torch.where(unknown, plan.new_tensor(TYPICAL_PLAN), plan)
        volume, viscosity, approach = known[:, 0:1].clamp_min(0.0), known[:, 1:2], known[:, 2:3]
        relative, by_ml, first, second = F.softplus(self.gains(hidden)).chunk(1 + len(VISCOSITIES), 1)
        total = (
            self.base(hidden)
            + relative * (torch.log(volume + VOLUME_FLOOR_ML) - log_body + LOG_BODY)
            + by_ml * volume / VOLUME_SCALE_ML
            - first * viscosity.clamp(0.0, 1.0)
            - second * (viscosity - 1.0).clamp(0.0, 1.0)
            + self.approach(hidden) * approach
        )
        result: Tensor = total + unknown.to(total.dtype) @ self.unknown
        return result

    def oddness(self, features: Tensor) -> Tensor:
        """How far (N,) features lie from those of training crops: root mean squared distance in widths, usually near 1.

        Mahalanobis distance over the square root of D under probabilistic PCA (Tipping and Bishop 1999, JRSS B
        61:611-22); it is to be compared with the limit in the checkpoint's JSON.
        """
        centred = (features - self.get_buffer("centre")) / self.get_buffer("width")
        # A linear map, not a product with a transpose, which an exporter folds into a constant of its own.
        along = F.linear(centred, self.get_buffer("odd_axes"))
        square = (centred**2).sum(1) - (along**2).sum(1)
        weighed = (along**2 * self.get_buffer("odd_gain")).sum(1) + square * self.get_buffer("odd_rest")
        return torch.sqrt(weighed.clamp_min(0.0) / features.shape[1])
