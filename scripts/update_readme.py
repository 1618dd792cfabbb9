#!/usr/bin/env python3
"""Write the README's table of figures from the JSON files that the evaluation scripts wrote.

python scripts/update_readme.py [--check]

With --check nothing is written; the exit status is 1 where the README differs from the files.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from vertseg.errors import InputError

REPOSITORY = Path(__file__).resolve().parent.parent
EVALUATION = REPOSITORY / "checkpoints" / "evaluation"
BEGIN = "<!-- figures: begin (written by scripts/update_readme.py) -->"
END = "<!-- figures: end -->"
INJECTION_BEGIN = "<!-- injection: begin (written by scripts/update_readme.py) -->"
INJECTION_END = "<!-- injection: end -->"

SPEED_BEGIN = "<!-- speed: begin (written by scripts/update_readme.py) -->"
SPEED_END = "<!-- speed: end -->"

PHANTOM_ROWS = (
    ("Dice of vertebrae", "vertebra_dice"),
    ("Dice per named vertebra", "level_dice"),
    ("Dice of bodies", "body_dice"),
    ("Dice of posterior elements", "posterior_dice"),
    ("Vertebrae found and rightly named (share)", "level_accuracy"),
    ("Every level right, scans that show an anchor (share)", "every_level_right"),
    ("Dice of lytic lesions (scans that have any)", "lytic_dice"),
    ("Lytic lesions found (share)", "lesions_found"),
    ("False lytic lesions per scan", "false_lesions_per_scan"),
    ("Posterior-wall defects of 20 mm2 and more found (share)", "defects_found"),
    ("False wall defects per scan", "false_defects_per_scan"),
    ("Vertebrae invented per scan", "invented_per_scan"),
)


def phantom_lines(result: dict[str, Any]) -> list[str]:
    """Rows of the phantom table."""
    means, targets, intervals = result["means"], result["targets"], result["intervals"]
    first, last = result["seeds"]
    lines = [
        f"| {result['scans']} phantom scans, seeds {first}-{last} (never trained on), appearance "
        f"{result['appearance']:g} | mean (95 %) | target |",
        "|---|---|---|",
    ]
    for title, key in PHANTOM_ROWS:
        sign = "<=" if key.startswith("false") else ">="
        target = f"{sign} {targets[key]:.2f}" if key in targets else ""
        lines.append(f"| {title} | {_estimate(means[key], intervals[key])} | {target} |")
    return lines


def _estimate(value: float | None, ends: list[float | None]) -> str:
    if value is None:
        return "-"
    low, high = ends
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def real_lines(result: dict[str, Any]) -> list[str]:
    """Rows of the real scan's table."""
    levels = ", ".join(f"{name} {value:.2f}" for name, value in result["dice_per_level"].items())
    return [
        f"| one real lumbar CT (`{result['scan']}`, 3 mm; a machine's reference) | |",
        "|---|---|",
        f"| Dice of {result['levels'][0]}-{result['levels'][-1]} together | {result['binary_dice']:.2f} |",
        f"| Dice per level | {levels} |",
        f"| Every level right | {'yes' if result['levels_right'] else 'no'} |",
        f"| Vertebrae invented | {', '.join(result['invented']) or 'none'} |",
    ]


def leak_lines(result: dict[str, Any]) -> list[str]:
    """Rows of the leak head's table."""
    figures = result["figures"]
    lines = [
        f"| leak risk, {figures['vertebrae']} phantom vertebrae not fitted to | AUROC (95 %) | a perfect predictor's "
        "| calibration error |",
        "|---|---|---|---|",
    ]
    for name, own in figures["outcomes"].items():
        auroc = _estimate(own["auroc"], own["interval"])
        lines.append(f"| {name} | {auroc} | {own['ceiling']['auroc']:.2f} | {own['ece_after']:.2f} |")
    return lines


def block() -> str:
    """The text between the markers."""
    parts: list[str] = []
    files = (
        ("phantoms.json", phantom_lines),
        ("leak_head.json", leak_lines),
        ("real_lumbar.json", real_lines),
    )
    for name, lines in files:
        path = EVALUATION / name
        if path.exists():
            parts.append("\n".join(lines(json.loads(path.read_text()))))
    return "\n\n".join(parts)


def injection_lines() -> str:
    """Rows of the injection's table that the literature asks for."""
    path = REPOSITORY / "vertseg" / "cement" / "validation.json"
    if not path.exists():
        return ""
    result = json.loads(path.read_text())
    lines = [
        f"| {result['vertebrae']} simulated vertebrae, {result['inside']} of {result['asked']} rows inside "
        "| simulated (95 %) | published | |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        if row["row"]:
            ours, theirs = (interval(row[k], row["measure"]) for k in ("simulated", "published"))
            verdict = "inside" if row["inside"] else "outside"
            name = f"{row['measure']}: {row['statistic']} ({row['population']})"
            lines.append(f"| {name} | {ours} | {theirs} | {verdict} |")
    return "\n".join(lines)


def speed_lines() -> str:
    """Rows of the speed table, of what the benches have written so far."""
    lines: list[str] = []
    benchmarks = REPOSITORY / "benchmarks"
    if (benchmarks / "predict.json").exists():
        result = json.loads((benchmarks / "predict.json").read_text())
        cpu = result["machine"]["cpu"]
        lines += [
            f"| file to outputs, {result['threads']} threads, {cpu} | wall | CPU | peak | one vertebra at a point |",
            "|---|---|---|---|---|",
        ]
        for name, run in result["scans"].items():
            warm, point = run["warm"], run["point"]
            memory = f"{run['peak_gb']} GB"
            lines.append(
                f"| {name} | {warm['wall_s']} s | {warm['cpu_s']} s | {memory} | {point['wall_s']} s |"
            )
    if (benchmarks / "peers.json").exists():
        result = json.loads((benchmarks / "peers.json").read_text())
        lines += [
            "",
            f"| beside vertseg, {result['scan']}, {result['cpu']} | wall | CPU | memory |",
            "|---|---|---|---|",
        ]
        for name, times in (result["beside_vertseg"] or {}).items():
            scaled = result["runs"][name].get("scaled_from_patches")
            title = name.replace("_", ", ") + (" (scaled from a part of its patches)" if scaled else "")
            row = (times[k] for k in ("times_wall", "times_cpu", "times_peak"))
            lines.append(f"| {title} | {' | '.join(f'{value}x' for value in row)} |")
    return "\n".join(lines)


def interval(figure: dict[str, Any], measure: str) -> str:
    """A figure with its interval; a missing end is open."""
    scale, unit = (100, " %") if measure == "rate" else (1, "")
    ends = ["" if figure[k] is None else f"{scale * figure[k]:.3g}" for k in ("low", "high")]
    value = "-" if figure["value"] is None else f"{scale * figure['value']:.3g}{unit}"
    return f"{value} ({ends[0]} to {ends[1]})"


def replaced(text: str, begin: str, end: str, content: str) -> str:
    """The text with `content` between two markers.

    Raises:
        InputError: a marker is missing.
    """
    if begin not in text or end not in text.split(begin)[-1]:
        raise InputError(f"README.md lacks the line '{begin}' or the one that ends it; put both back.")
    head, rest = text.split(begin)
    return f"{head}{begin}\n\n{content}\n\n{end}{rest.split(end)[1]}"


def main() -> int:
    """Write or check; 0, 1 where a check finds a difference, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    readme = REPOSITORY / "README.md"
    text = readme.read_text()
    check = parser.parse_args().check
    try:
        wanted = replaced(text, BEGIN, END, block())
        wanted = replaced(wanted, INJECTION_BEGIN, INJECTION_END, injection_lines())
        wanted = replaced(wanted, SPEED_BEGIN, SPEED_END, speed_lines())
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    if check:
        if wanted != text:
            print(
                "README.md differs from the files of figures; run python scripts/update_readme.py",
                file=sys.stderr,
            )
        return int(wanted != text)
    readme.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
