"""The leak head in numpy: risks of any plan from features that the network gave once, in microseconds, without torch.

The weights are read from the checkpoint's .safetensors; the formulas are those of `nets.leak_head`, and a test holds
both to each other.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vertseg.errors import CheckpointError
from vertseg.inference.engines.graph_files import weights_header
from vertseg.inference.leak_risk import LeakRule, RuleDraws, any_probability, calibrated, sigmoid
from vertseg.labels import VISCOSITIES
from vertseg.nets.leak_names import (
    BODY_COLUMN,
    LOG_BODY,
    STANDARD_BOUND,
    TYPICAL_PLAN,
    VOLUME_FLOOR_ML,
    VOLUME_SCALE_ML,
)
from vertseg.nets.meta import check_task, load_meta, weights_path

Array = NDArray[np.float64]
Weights = Mapping[str, NDArray[np.float32]]

INTERVAL_PERCENT: Final = (2.5, 97.5)

_PREFIX: Final = "leak."
_LEAK: Final = 0.01
"""Slope of torch's leaky ReLU below zero."""


@dataclass(frozen=True, eq=False)
class LeakModel:
    """Leak head, calibration and its draws of one checkpoint.

    Attributes:
        weights: tensors of `nets.leak_head.LeakHead` by name.
        rule: how logits become risks; None withholds all.
        draws: calibrations of bootstrap samples, for intervals; None where the checkpoint stores none.
    """

    weights: Weights
    rule: LeakRule | None
    draws: RuleDraws | None

    def logits(self, features: ArrayLike, plan: ArrayLike) -> Array:
        """Logits (N, 4) of `labels.LEAK_ROUTES`, not calibrated.

        Args:
            features: (N, D), the engine's output `leak_features`.
            plan: (N, 3) as `options.Plan.numbers` gives it; NaN is unknown.
        """
        rows, numbers = np.asarray(features, np.float64), np.asarray(plan, np.float64)
        hidden = self._linear("hidden", np.clip(self._centred(rows), -STANDARD_BOUND, STANDARD_BOUND))
        hidden = np.where(hidden > 0, hidden, _LEAK * hidden)
        unknown = np.isnan(numbers)
        known = np.where(unknown, TYPICAL_PLAN, numbers)
        volume, viscosity, approach = np.maximum(known[:, 0:1], 0.0), known[:, 1:2], known[:, 2:3]
        gains = np.logaddexp(0.0, self._linear("gains", hidden))
        relative, by_ml, first, second = np.split(gains, 1 + len(VISCOSITIES), axis=1)
        per_body = np.log(volume + VOLUME_FLOOR_ML) - rows[:, BODY_COLUMN : BODY_COLUMN + 1] + LOG_BODY
        return np.asarray(
            self._linear("base", hidden)
            + relative * per_body
            + by_ml * volume / VOLUME_SCALE_ML
            - first * np.clip(viscosity, 0.0, 1.0)
            - second * np.clip(viscosity - 1.0, 0.0, 1.0)
            + self._linear("approach", hidden) * approach
            + unknown @ self._weight("unknown")
        )

    def oddness(self, features: ArrayLike) -> Array:
        """How far (N,) features (N, D) lie from those of training crops, see `LeakHead.oddness`."""
        centred = self._centred(np.asarray(features, np.float64))
        along = centred @ self._weight("odd_axes").T
        rest = (centred**2).sum(1) - (along**2).sum(1)
        weighed = (along**2 * self._weight("odd_gain")).sum(1) + rest * self._weight("odd_rest")
        return np.asarray(np.sqrt(np.maximum(weighed, 0.0) / centred.shape[1]))

    def risks(self, features: ArrayLike, plan: ArrayLike) -> Array:
        """Calibrated probabilities (N, 5) of `labels.LEAK_OUTCOMES`; arguments as of `logits`."""
        return outcome_risks(self.logits(features, plan), self.rule or LeakRule())

    def interval(self, features: ArrayLike, plan: ArrayLike) -> tuple[Array, Array] | None:
        """Ends (N, 5) of the 95 % intervals of `risks` under the calibration's draws; None without draws.

        Both ends rise with the volume and hold the risk between them.
        """
        if self.rule is None or self.draws is None:
            return None
        logits = self.logits(features, plan)
        drawn = np.stack([outcome_risks(logits, rule) for rule in self.draws.rules()])
        low, high = np.percentile(drawn, INTERVAL_PERCENT, axis=0)
        risk = outcome_risks(logits, self.rule)
        return np.minimum(low, risk), np.maximum(high, risk)

    def _weight(self, name: str) -> Array:
        return np.asarray(self.weights[name], np.float64)

    def _linear(self, name: str, values: Array) -> Array:
        return np.asarray(values @ self._weight(f"{name}.weight").T + self._weight(f"{name}.bias"))

    def _centred(self, features: Array) -> Array:
        return np.asarray((features - self._weight("centre")) / self._weight("width"))


def outcome_risks(logits: ArrayLike, rule: LeakRule) -> Array:
    """Probabilities (N, 5) of `labels.LEAK_OUTCOMES` from logits (N, 4)."""
    scaled = calibrated(logits, rule)
    return np.concatenate([sigmoid(scaled), any_probability(scaled, rule.dependence)[:, None]], 1)


def load_leak_model(checkpoint_dir: Path | None = None) -> LeakModel:
    """The leak head of a folder of checkpoints; None takes the default one.

    Raises:
        CheckpointError: the weights are absent or damaged, or their rule is.
    """
    path = weights_path("examine", checkpoint_dir)
    meta = load_meta(path)
    check_task(meta, "examine", path)
    return LeakModel(read_tensors(path, _PREFIX), LeakRule.of(meta.leak), RuleDraws.of(meta.leak))


def read_tensors(path: Path, prefix: str) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of a .safetensors whose names begin with a prefix, which is taken off.

    Raises:
        CheckpointError: the file is absent, cut short, or holds no such tensors.
    """
    raw = weights_header(path)
    header, behind = json.loads(raw), 8 + len(raw)
    found: dict[str, NDArray[np.float32]] = {}
    with path.open("rb") as file:
        for name, entry in header.items():
            if not name.startswith(prefix) or entry["dtype"] != "F32":
                continue
            start, stop = entry["data_offsets"]
            file.seek(behind + start)
            content = file.read(stop - start)
            if len(content) != stop - start:
                raise CheckpointError(f"{path} is cut short; copy the checkpoint again.")
            values = np.frombuffer(content, "<f4").reshape(entry["shape"])
            found[name.removeprefix(prefix)] = values
    if not found:
        raise CheckpointError(f"{path} holds no leak head; name a folder with an examine checkpoint.")
    return found
