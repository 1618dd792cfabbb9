#!/usr/bin/env python3
"""Write MODEL_CARD.md from the checkpoints' JSON and the files that the evaluation scripts wrote.

python scripts/write_model_card.py [--check]

With --check nothing is written; the exit status is 1 where the card differs from the files.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vertseg.errors import InputError
from vertseg.evaluation.goals import goal_cells
from vertseg.io.atomic import write_text

REPOSITORY = Path(__file__).resolve().parent.parent
CHECKPOINTS = REPOSITORY / "checkpoints"
EVALUATION = CHECKPOINTS / "evaluation"
CARD = REPOSITORY / "MODEL_CARD.md"

WARNING = (
    "**Not a medical device.** Research software: no figure below comes from patients' outcomes, and none of it is "
    "to decide a treatment."
)


def read(path: Path) -> dict[str, Any] | None:
    """A file's JSON object; None where there is no file.

    Raises:
        InputError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); run the script that writes it again.") from None
    return dict(content)


def learned_lines(task: str, meta: Mapping[str, Any]) -> list[str]:
    """What one network is and what it learned from, its ancestors included."""
    size = (CHECKPOINTS / f"{task}.safetensors").stat().st_size / 4e6
    crop = meta.get("crop_shape")
    field = "whole scan" if crop is None else f"one upright crop of {' x '.join(map(str, crop))} voxels"
    lines = [
        f"**{task}**: 3D U-Net, {size:.1f} million weights, {field} at {meta['spacing_mm']:g} mm; sha256 "
        f"`{meta['sha256'][:16]}`."
    ]
    last, *before = history(meta)
    return [*lines, f"- {last}", *(f"- before that {line}" for line in before)]


def history(meta: Mapping[str, Any]) -> list[str]:
    """A line for every training that led to a checkpoint, the last one first."""
    trained = dict(meta["trained_on"])
    ancestor = trained.pop("initial", None)
    told = "; ".join(f"{key.replace('_', ' ')}: {_told(value)}" for key, value in sorted(trained.items()))
    lines = [f"{meta['steps']} steps on {told}"]
    return lines if ancestor is None else lines + history(ancestor)


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(inner)}" for key, inner in value.items())
    if isinstance(value, list) and len(value) == 2 and all(isinstance(inner, int) for inner in value):
        return f"{value[0]} to {value[1] - 1}"
    if isinstance(value, list):
        return ", ".join(_told(inner) for inner in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def goal_table(result: Mapping[str, Any]) -> list[str]:
    """The targets on unseen phantoms, with what was measured."""
    first, last = result["seeds"]
    lines = [
        f"{result['scans']} phantom scans of seeds {first} to {last}, appearance {result['appearance']:g}: unseen in "
        "training, but phantoms like those learned from. Intervals are 95 %, resampled by patient.",
        "",
        "| | target | measured | 95 % interval | met |",
        "|---|---|---|---|---|",
    ]
    return lines + [f"| {' | '.join(goal_cells(row))} |" for row in result["goals"]]


def strata_table(result: Mapping[str, Any]) -> list[str]:
    """Dice of vertebrae and share of right names in parts of the scans."""
    lines = ["| scans | n | Dice of vertebrae | rightly named |", "|---|---|---|---|"]
    for kind, parts in result["strata"].items():
        for name, figures in parts.items():
            dice = figures["structures"].get("vertebra", {}).get("dice")
            named = figures["naming"].get("right")
            lines.append(f"| {kind}: {name} | {figures['scans']} | {_with(dice)} | {_with(named)} |")
    return lines


def leak_part(result: Mapping[str, Any] | None) -> list[str]:
    """The leak head's figures on vertebrae it was not fitted to."""
    if result is None:
        return []
    figures, trained = result["figures"], result["trained_on"]
    lines = [
        "## Leak risk (`checkpoints/evaluation/leak_head.json`)",
        "",
        f"Fitted alone, on {trained['injections']} simulated injections of {trained['vertebrae']} phantom vertebrae; "
        f"figures from {figures['vertebrae']} others. The ceiling is what a perfect predictor reaches where the "
        "simulator is asked again with what a CT cannot show redrawn.",
        "",
        "| | AUROC | 95 % interval | ceiling | ECE | Brier |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in figures["outcomes"].items():
        low, high = own["interval"]
        lines.append(
            f"| {name} | {own['auroc']:.3f} | {low:.3f} to {high:.3f} | {own['ceiling']['auroc']:.3f} | "
            f"{own['ece_after']:.3f} | {own['brier_after']:.3f} |"
        )
    return [*lines, ""]


def _with(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "-"
    interval = "" if estimate["low"] is None else f" ({estimate['low']:.2f} to {estimate['high']:.2f})"
    return f"{estimate['value']:.3f}{interval}"


def real_lines(real: Mapping[str, Any], variants: Mapping[str, Any] | None) -> list[str]:
    """The real lumbar CT and its copies."""
    rows = {"as it is": real}
    if variants is not None:
        rows |= {name: figures for name, figures in variants["variants"].items() if name != "as it is"}
    lines = [
        f"`{real['scan']}` (3 mm, against a machine's reference). The phantoms were made while looking at it, so these "
        "are development figures. No scan of a patient was learned from.",
        "",
        "| copy | Dice T12-L5 | levels right | invented |",
        "|---|---|---|---|",
    ]
    for name, figures in rows.items():
        right = f"{figures['levels_right']} of {len(figures['levels'])}"
        lines.append(
            f"| {name} | {figures['binary_dice']:.3f} | {right} | {', '.join(figures['invented']) or 'none'} |"
        )
    return lines


def failures(result: Mapping[str, Any]) -> list[str]:
    """The goals that are missed, as sentences from their rows."""
    missed = [row for row in result["goals"] if row["met"] is False]
    if not missed:
        return ["- On the phantoms above no target was missed."]
    return [
        f"- {row['title']}: {row['value']:.3f} where {row['sense']} {row['target']:.2f} is wanted."
        for row in missed
    ]


def card() -> str:
    """The whole text.

    Raises:
        InputError: a checkpoint's JSON or the phantoms' evaluation is absent.
    """
    metas = {task: read(CHECKPOINTS / f"{task}.json") for task in ("locate", "examine")}
    phantoms, real = read(EVALUATION / "phantoms.json"), read(EVALUATION / "real_lumbar.json")
    if phantoms is None or real is None or None in metas.values():
        raise InputError(
            "The card needs both checkpoints' JSON, phantoms.json and real_lumbar.json; run "
            "scripts/evaluate_phantoms.py and scripts/evaluate_real.py."
        )
    lines = [
        "# Model card",
        "",
        "Written by `scripts/write_model_card.py` from the files it names.",
        "",
        WARNING,
        "",
    ]
    lines += ["## What it learned from", ""]
    for task, meta in metas.items():
        lines += [*learned_lines(task, meta or {}), ""]
    lines += [
        "Seeds are of `vertseg phantom`: parametric patients, put through a scanner model; painted ones lie on real "
        "label maps. The leak risk learned from injections simulated by `vertseg.cement`.",
        "",
        "## Phantoms (`checkpoints/evaluation/phantoms.json`)",
        "",
        *goal_table(phantoms),
        "",
        *strata_table(phantoms),
        "",
        *leak_part(read(EVALUATION / "leak_head.json")),
        "## A real CT (`checkpoints/evaluation/real_lumbar.json`)",
        "",
        *real_lines(real, read(EVALUATION / "real_lumbar_variants.json")),
        "",
        "## Known failures",
        "",
        *failures(phantoms),
        "- What gives the phantoms away, and with it what the networks may rely on: `vertseg/phantom/README.md`.",
        "- Where simulated injections differ from published series: `vertseg/cement/validation.md`.",
        "",
        "## Again",
        "",
        "    python scripts/evaluate_phantoms.py --seeds 910000-910074 --workers 2",
        "    python scripts/evaluate_real.py SCAN LABELS --variants",
        "    python scripts/write_model_card.py",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Write or check; 0, 1 where a check finds a difference, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    try:
        wanted = card()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if check:
        same = CARD.exists() and CARD.read_text() == wanted
        if not same:
            print(
                "MODEL_CARD.md differs from the files; run python scripts/write_model_card.py",
                file=sys.stderr,
            )
        return int(not same)
    write_text(CARD, wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
