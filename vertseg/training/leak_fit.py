"""Training of the leak head alone, on features of a network that stands still."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from vertseg.errors import InputError
from vertseg.nets.leak_head import ODDNESS_AXES, LeakHead
from vertseg.nets.leak_names import PLAN_INPUTS
from vertseg.phantom.leak import VOLUME_ML
from vertseg.phantom.leak_draws import LeakDraws
from vertseg.training.optimiser import adamw


@dataclass(frozen=True)
class LeakSet:
    """Drawn injections and the features of the vertebrae they went into.

    Attributes:
        features: (N, D) of vertebrae.
        vertebra: (S,) row of `features` of each injection.
        plan: (S, 2) viscosity and approach index.
        onset_ml: (S, 4) volume from which on each route leaks.
    """

    features: Tensor
    vertebra: Tensor
    plan: Tensor
    onset_ml: Tensor

    @staticmethod
    def of(features: Sequence[ArrayLike], draws: Sequence[LeakDraws]) -> "LeakSet":
        """Join vertebrae; those that were not injected are left out.

        Raises:
            InputError: none was injected.
        """
        kept = [i for i, d in enumerate(draws) if len(d.plan)]
        if not kept:
            raise InputError("None of the vertebrae was injected; give more seeds or draw their leaks first.")
        counts = [len(draws[i].plan) for i in kept]
        return LeakSet(
            torch.as_tensor(np.stack([np.asarray(features[i], np.float32) for i in kept])),
            torch.repeat_interleave(torch.arange(len(kept)), torch.tensor(counts)),
            torch.as_tensor(np.concatenate([draws[i].plan for i in kept])),
            torch.as_tensor(np.concatenate([draws[i].onset_ml for i in kept])),
        )

    def part(self, rows: ArrayLike) -> "LeakSet":
        """Some of the vertebrae, by row of `features` (n,)."""
        wanted = torch.as_tensor(np.asarray(rows, np.int64))
        place = torch.full((len(self.features),), -1)
        place[wanted] = torch.arange(len(wanted))
        mine = place[self.vertebra] >= 0
        return LeakSet(
            self.features[wanted], place[self.vertebra[mine]], self.plan[mine], self.onset_ml[mine]
        )


@dataclass(frozen=True)
class LeakFit:
    """How the head is trained.

    Attributes:
        steps: passes over all injections, each with volumes drawn anew.
        unknown: chance that a plan input is hidden.
        volumes: volumes drawn for each injection in a step.
    """

    steps: int = 400
    learning_rate: float = 3e-3
    weight_decay: float = 3.0
    unknown: float = 0.2
    volumes: int = 2
    seed: int = 1


def fit_leak_head(head: LeakHead, data: LeakSet, fit: LeakFit) -> list[float]:
    """Train a head in place from scratch; returns the loss (binary cross-entropy, mean over routes) of each step.

    Standardisation and oddness are fitted to the vertebrae of `data`.
    """
    generator = torch.Generator().manual_seed(fit.seed)
    torch.manual_seed(fit.seed)
    _reset(head)
    standardise(head, data.features)
    start_at_prevalence(head, data)
    optimizer = adamw(head.parameters(), fit.learning_rate, fit.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, fit.steps)
    losses = []
    head.train()
    for _ in range(fit.steps):
        total = torch.zeros(())
        for _ in range(fit.volumes):
            volume = torch.empty(len(data.plan), 1).uniform_(*VOLUME_ML, generator=generator)
            plan = torch.cat([volume, data.plan], 1)
            hidden = torch.rand(len(plan), len(PLAN_INPUTS), generator=generator) < fit.unknown
            logits = head(data.features[data.vertebra], plan.masked_fill(hidden, torch.nan))
            wanted = (data.onset_ml <= volume).float()
            total = total + F.binary_cross_entropy_with_logits(logits, wanted) / fit.volumes
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(float(total.detach()))
    head.eval()
    fit_oddness(head, data.features)
    return losses


def _reset(head: LeakHead) -> None:
    for layer in (head.hidden, head.base, head.gains, head.approach):
        layer.reset_parameters()
    with torch.no_grad():
        head.unknown.zero_()


def start_at_prevalence(head: LeakHead, data: LeakSet) -> None:
    """Begin with what every injection has in common, so that training spends no steps on it."""
    middle = sum(VOLUME_ML) / 2
    share = (data.onset_ml <= middle).float().mean(0).clamp(0.02, 0.98)
    with torch.no_grad():
        head.base.weight.mul_(0.1)
        head.base.bias.copy_(torch.logit(share))


def standardise(head: LeakHead, features: Tensor) -> None:
    """Set the head's `centre` and `width` to mean and SD of features (N, D)."""
    head.get_buffer("centre").copy_(features.mean(0))
    # What hardly varies in training would make a vertebra odd by a trifle.
    spread = features.std(0)
    head.get_buffer("width").copy_(spread.clamp_min(0.05 * float(spread.median())))


def fit_oddness(head: LeakHead, features: Tensor) -> None:
    """Set the head's measure of oddness to the spread of features (N, D), at least 2 of them."""
    centred = (features - head.get_buffer("centre")) / head.get_buffer("width")
    variance, axes = torch.linalg.eigh(centred.double().T @ centred.double() / (len(features) - 1))
    known = min(ODDNESS_AXES, len(features) - 1)
    top = variance[-known:].clamp_min(1e-6)
    rest = (variance.sum() - top.sum()) / (len(variance) - known)
    head.get_buffer("odd_axes").zero_()[:known] = axes[:, -known:].T.float()
    head.get_buffer("odd_gain").zero_()[:known] = (1 / top).float()
    head.get_buffer("odd_rest").copy_((1 / rest.clamp_min(1e-3)).float())


def route_logits(head: LeakHead, data: LeakSet, volume_ml: ArrayLike) -> NDArray[np.float64]:
    """Logits (S, 4) of each injection stopped at `volume_ml` (S,)."""
    volume = torch.as_tensor(np.asarray(volume_ml, np.float32))[:, None]
    with torch.inference_mode():
        logits = head(data.features[data.vertebra], torch.cat([volume, data.plan], 1))
    return np.asarray(logits.double().numpy())
