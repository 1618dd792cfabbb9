"""Sensitivity, false positives and size errors of lesions and wall defects, and their FROC curve."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.evaluation.bootstrap import Array, Estimate, Resampling
from vertseg.evaluation.objects import RULES, THRESHOLDS

FALSE_PER_SCAN: Final = (0.25, 0.5, 1.0, 2.0)
"""False positives a scan at which sensitivity is read off the curve."""


def object_figures(name: str, scores: Sequence[Mapping[str, Any]], resampling: Resampling) -> dict[str, Any]:
    """Figures of one finding's objects by least size, as values for JSON.

    False ones are all that inference reports (at least the rule's least size), whatever size is asked for.
    """
    rule = RULES[name]
    counted = [
        (s["patient"], s["objects"][name], s["operating"][name]) for s in scores if name in s["objects"]
    ]
    result: dict[str, Any] = {"unit": rule.unit, "thresholds": list(THRESHOLDS), "sizes": {}}
    for size in rule.sizes:
        truths = [(p, t, op) for p, found, op in counted for t in found["truths"] if t["size"] >= size]
        scans = [(p, found["false"], op) for p, found, op in counted if found["false"] is not None]
        result["sizes"][f"{size:g}"] = {
            "truths": len(truths),
            "scans": len(scans),
            **_operating(truths, scans, resampling),
            "froc": _curve(truths, scans, resampling),
            **_size_errors(truths, resampling),
        }
    return result


def _operating(truths: Sequence[Any], scans: Sequence[Any], resampling: Resampling) -> dict[str, Any]:
    """Sensitivity and false objects a scan at the threshold that the predictions were made with."""
    found = [float(t["found_at"] >= op) for _, t, op in truths]
    false = [float(f[THRESHOLDS.index(op)]) for _, f, op in scans]
    return {
        "sensitivity": asdict(resampling.mean(found, [p for p, _, _ in truths])),
        "false_per_scan": asdict(resampling.mean(false, [p for p, _, _ in scans])),
    }


def _curve(truths: Sequence[Any], scans: Sequence[Any], resampling: Resampling) -> dict[str, Any]:
    """The curve by threshold, and the sensitivity at `FALSE_PER_SCAN` with intervals."""
    owners, scan_owners = [p for p, _, _ in truths], [p for p, _, _ in scans]
    found_at = np.array([t["found_at"] for _, t, _ in truths], dtype=np.float64)
    found = (found_at[:, None] >= np.array(THRESHOLDS)).astype(np.float64)
    false = np.array([f for _, f, _ in scans], dtype=np.float64).reshape(-1, len(THRESHOLDS))
    if not len(found) or not len(false):
        empty = asdict(Estimate(None, None, None, len(found), len(set(owners))))
        return {"sensitivity": [], "false_per_scan": [], "at": {f"{f:g}": empty for f in FALSE_PER_SCAN}}
    sensitivities = _weighted_means(found, resampling.weights[:, resampling.index(owners)])
    rates = _weighted_means(false, resampling.weights[:, resampling.index(scan_owners)])
    at = {}
    for limit in FALSE_PER_SCAN:
        value = float(read_curve(found.mean(axis=0)[None], false.mean(axis=0)[None], limit)[0])
        at[f"{limit:g}"] = asdict(resampling.estimate(value, read_curve(sensitivities, rates, limit), owners))
    return {
        "sensitivity": found.mean(axis=0).round(5).tolist(),
        "false_per_scan": false.mean(axis=0).round(5).tolist(),
        "at": at,
    }


def read_curve(sensitivity: Array, false_per_scan: Array, limit: float) -> Array:
    """Highest sensitivity (R,) of curves (R, T) among thresholds with at most `limit` false objects a scan; 0 without."""
    allowed: NDArray[np.bool_] = false_per_scan <= limit + 1e-9
    best = np.where(allowed, sensitivity, 0.0).max(axis=1)
    return np.asarray(np.where(np.isnan(sensitivity).any(axis=1), np.nan, best))


def _weighted_means(values: Array, weights: Array) -> Array:
    """Means (R, T) of items (N, T) that occur `weights` (R, N) times."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ values) / weights.sum(axis=1, keepdims=True))


def _size_errors(truths: Sequence[Any], resampling: Resampling) -> dict[str, Any]:
    """Median error of the size of found objects, absolute (in the rule's unit) and as a share of the true size."""
    found = [(p, t) for p, t, op in truths if t["found_at"] >= op and t["predicted_size"] > 0]
    patients = [p for p, _ in found]
    errors = [abs(t["predicted_size"] - t["size"]) for _, t in found]
    shares = [e / t["size"] for e, (_, t) in zip(errors, found, strict=True)]
    signed = [t["predicted_size"] - t["size"] for _, t in found]
    return {
        "size_error": asdict(resampling.median(errors, patients)),
        "size_error_share": asdict(resampling.median(shares, patients)),
        "size_bias": asdict(resampling.median(signed, patients)),
    }
