#!/usr/bin/env python3
"""Lay phantoms beside a real lumbar CT: the same cuts in the same windows, and HU histograms by tissue.

python scripts/compare_phantoms.py REAL_CT REAL_LABELS --output DIR [--seeds 0-11]

Each phantom is scanned at the real scan's spacing and extent, its L3 where the real one's is. Written to DIR:
axial.png, sagittal.png and coronal.png through L3 (the real scan first, each in a soft-tissue and a bone window),
sheet.png (all three cuts of the real scan and a few phantoms, small), histograms.png and histograms.json. How
body, cortex, muscle and fat are found, by one rule for both, is told in vertseg/evaluation/appearance.py.
Labels are TotalSegmentator's numbers.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import ConfigError, InputError, VertsegError
from vertseg.evaluation.appearance import (
    BIN_HU,
    TISSUES,
    Samples,
    compare,
    histogram,
    lumbar_vertebrae,
    tissue_samples,
)
from vertseg.evaluation.real import reference_levels
from vertseg.io import read_labels, read_scan
from vertseg.io.atomic import atomic_path, write_text
from vertseg.labels import level_number
from vertseg.phantom import ScanConfig
from vertseg.phantom.memory import keep_freed_memory
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.render import render_acquired
from vertseg.phantom.scanner.acquisition import acquire
from vertseg.phantom.show import WINDOWS_HU
from vertseg.volume import Grid, Volume

L3 = level_number("L3")
CUTS = ("axial", "sagittal", "coronal")
SMALL_SHEET_PHANTOMS = 5


@dataclass(frozen=True)
class Sample:
    """A scan with its L3: voxel position (3,) of the body's middle."""

    name: str
    hu: Volume
    level: Volume
    middle_vox: NDArray[np.float64]
    tissues: Samples

    def cut(self, name: str) -> NDArray[np.float32]:
        """HU (rows, columns) through L3; front or head at the top, the patient's right at the left."""
        i, j, k = np.rint(self.middle_vox).astype(int)
        if name == "axial":
            return self.hu.array[::-1, ::-1, k].T
        return self.hu.array[i, ::-1, ::-1].T if name == "sagittal" else self.hu.array[::-1, j, ::-1].T

    def aspect(self, name: str) -> float:
        """Height of a pixel over its width."""
        x, y, z = self.hu.grid.spacing_mm
        return {"axial": y / x, "sagittal": z / y, "coronal": z / x}[name]


def read_real(scan: Path, labels: Path) -> Sample:
    """The real scan, its vertebrae and tissues."""
    hu = read_scan(scan).volume
    level = reference_levels(read_labels(labels), hu)
    found = {v.level: v for v in lumbar_vertebrae(level)}
    if L3 not in found:
        raise InputError(f"'{labels}' does not show L3 whole, through which the cuts go.")
    return Sample("real", hu, level, level.grid.voxel(found[L3].centre_mm), tissue_samples(hu, level))


def render_like(real: Sample, seed: int, healthy: bool, appearance: float) -> Sample:
    """A phantom at the real scan's spacing and extent, with its L3 at the same voxel."""
    pathology = 0.0 if healthy else 1.0
    config = ScanConfig(spacing_mm=real.hu.grid.spacing_mm, pathology=pathology, appearance=appearance)
    anatomy = draw_anatomy(seed, config)
    drawn = acquire(anatomy, config)
    centre = next(s.centre_mm for s in anatomy.vertebrae if s.level == L3)
    world = np.linalg.inv(drawn.patient_from_world)
    affine = np.diag([*real.hu.grid.spacing_mm, 1.0])
    affine[:3, 3] = world[:3, :3] @ centre + world[:3, 3] - affine[:3, :3] @ real.middle_vox
    scan = render_acquired(anatomy, replace(drawn, grid=Grid(real.hu.grid.shape, affine)), config.device)
    sick = np.any([m.array > 0 for m in scan.findings.values()], axis=0)
    tissues = tissue_samples(scan.hu, scan.level, sick)
    return Sample(f"seed {seed}", scan.hu, scan.level, real.middle_vox, tissues)


def draw_cut(samples: list[Sample], cut: str, path: Path) -> None:
    """All scans in both windows, the real one first."""
    columns = 7
    rows = -(-len(samples) // columns)
    figure = new_figure(2.3 * columns, 2 * rows * panel_height(samples[0], cut) + 0.3)
    axes = figure.subplots(2 * rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for w, window in enumerate(("soft tissue", "bone")):
        for n, sample in enumerate(samples):
            panel(axes[w * rows + n // columns, n % columns], sample, cut, window)
    save(figure, path)


def panel_height(sample: Sample, cut: str) -> float:
    rows, columns = sample.cut(cut).shape
    return float(2.3 * rows * sample.aspect(cut) / columns + 0.2)


def draw_small(samples: list[Sample], path: Path) -> None:
    """Three cuts of the real scan and the first phantoms, in a window between soft tissue and bone."""
    chosen = samples[: 1 + SMALL_SHEET_PHANTOMS]
    heights = [panel_height(samples[0], cut) for cut in CUTS]
    figure = new_figure(2.0 * len(chosen), 0.87 * sum(heights))
    axes = figure.subplots(len(CUTS), len(chosen), squeeze=False, height_ratios=heights)
    for row, cut in zip(axes, CUTS, strict=True):
        for ax, sample in zip(row, chosen, strict=True):
            panel(ax, sample, cut, None)
    save(figure, path)


def panel(ax: Any, sample: Sample, cut: str, window: str | None) -> None:
    low, high = (-250.0, 550.0) if window is None else WINDOWS_HU[window]
    ax.imshow(sample.cut(cut), cmap="gray", vmin=low, vmax=high, aspect=sample.aspect(cut))
    colour = "#ffd040" if sample.name == "real" else "white"
    ax.set_title(sample.name + (f", {window}" if window else ""), color=colour, fontsize=8, pad=2)
    ax.set_axis_off()


def draw_histograms(real: Samples, phantoms: list[Samples], figures: dict[str, Any], path: Path) -> None:
    """The real scan's histograms as areas, all phantoms together as a line, each phantom as a thin line."""
    figure = new_figure(13, 7, "white")
    for ax, name in zip(figure.subplots(2, 2).flat, TISSUES, strict=True):
        share, middles = histogram(real[name], BIN_HU[name])
        ax.fill_between(middles, share, color="#e0a000", alpha=0.5, step="mid", label="real")
        for samples in phantoms:
            ax.plot(
                middles, histogram(samples[name], BIN_HU[name])[0], color="#3060c0", alpha=0.2, linewidth=0.7
            )
        pooled = np.concatenate([p[name] for p in phantoms])
        ax.plot(
            middles,
            histogram(pooled, BIN_HU[name])[0],
            color="#103080",
            linewidth=2,
            label=f"{len(phantoms)} phantoms",
        )
        spread = np.concatenate([real[name], pooled])
        ax.set_xlim(*np.percentile(spread, [0.3, 99.7]) + [-30, 30])
        told = figures[name]
        note = (
            ""
            if told is None
            else f": overlap {told['overlap']:.2f}, shape alone {told['overlap_centred']:.2f}"
        )
        ax.set_title(name + note, fontsize=10)
        ax.set_xlabel("HU")
        ax.set_ylabel("share of voxels per bin")
        ax.legend()
    save(figure, path, "white")


def new_figure(width: float, height: float, colour: str = "black") -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, facecolor=colour)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: Path, colour: str = "black") -> None:
    figure.tight_layout(pad=0.3)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", facecolor=colour)


def parse_seeds(text: str) -> range:
    """The seeds of "A-B", both included.

    Raises:
        ConfigError: not two numbers in order.
    """
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ConfigError(f"--seeds '{text}' is not a range; write it like --seeds 0-11.")
    return range(int(first), int(last) + 1)


def main() -> int:
    """Compare and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scan", type=Path, metavar="REAL_CT")
    parser.add_argument("labels", type=Path, metavar="REAL_LABELS")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", default="0-11", metavar="A-B")
    parser.add_argument("--healthy", action="store_true", help="phantoms without pathology")
    parser.add_argument(
        "--appearance", type=float, default=0.5,
        help="strength of the randomised attenuation; above 0.6 some scans are redrawn beyond what is real",
    )  # fmt: skip
    arguments = parser.parse_args()
    keep_freed_memory()
    try:
        seeds = parse_seeds(arguments.seeds)
        if not 0 <= arguments.appearance <= 1:
            raise ConfigError(f"--appearance {arguments.appearance:g} must lie between 0 and 1.")
        real = read_real(arguments.scan, arguments.labels)
        phantoms = []
        for seed in seeds:
            phantoms.append(render_like(real, seed, arguments.healthy, arguments.appearance))
            print(f"seed {seed} ({len(phantoms)}/{len(seeds)})", file=sys.stderr, flush=True)
        figures = compare(real.tissues, [p.tissues for p in phantoms])
        result = {
            "scan": arguments.scan.name,
            "seeds": arguments.seeds,
            "appearance": arguments.appearance,
            **figures,
        }
        for cut in CUTS:
            draw_cut([real, *phantoms], cut, arguments.output / f"{cut}.png")
        draw_small([real, *phantoms], arguments.output / "sheet.png")
        tissues = [p.tissues for p in phantoms]
        draw_histograms(real.tissues, tissues, figures, arguments.output / "histograms.png")
        write_text(arguments.output / "histograms.json", json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
