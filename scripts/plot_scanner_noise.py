#!/usr/bin/env python3
"""Noise of real scans beside the phantom scanner's: standard deviation and power spectrum of quiet soft tissue.

    python scripts/plot_scanner_noise.py SCAN.nii.gz [SCAN.nii.gz ...] --output noise.png

Squares of soft tissue without edges are taken from every slice; what two neighbouring slices do not share, over
the square root of two, is taken for noise (so slices that overlap come out too quiet). The same is done to water
of the same spacing, scanned as often as `--draws` says by the phantom's scanner.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vertseg.errors import ConfigError, InputError, VertsegError
from vertseg.io import read_scan
from vertseg.io.atomic import atomic_path
from vertseg.phantom.scanner.acquisition import Acquisition, draw_quality
from vertseg.phantom.scanner.exposure import expose
from vertseg.volume import Grid, Volume

SQUARE_MM = 22.0
EDGE_HU = 60.0
Floats = NDArray[np.float64]


def detrended(squares: Floats) -> Floats:
    """Squares (K, N, N) without their best fitting quadratic."""
    n = squares.shape[1]
    x, y = np.mgrid[:n, :n] / n - 0.5
    basis = np.stack([v.ravel() for v in (np.ones_like(x), x, y, x * x, y * y, x * y)], axis=1)
    flat = squares.reshape(len(squares), -1)
    rest: Floats = flat - flat @ np.linalg.pinv(basis).T @ basis.T
    return rest.reshape(squares.shape)


def noise_squares(volume: Volume, water: bool) -> Floats:
    """Noise (K, N, N) of homogeneous squares; `water` takes all squares."""
    array, n = volume.array, max(6, round(SQUARE_MM / volume.grid.spacing_mm[0]))
    found = []
    for k in range(array.shape[2] - 1):
        for i in range(0, array.shape[0] - n + 1, n // 2):
            for j in range(0, array.shape[1] - n + 1, n // 2):
                square = array[i : i + n, j : j + n, k]
                mean = square.mean()
                if water or (20 < mean < 160 and np.abs(square - mean).max() < EDGE_HU):
                    found.append(array[i : i + n, j : j + n, k + 1] - square)
    if not found:
        return np.zeros((0, n, n))
    noise: Floats = detrended(np.asarray(found, dtype=np.float64)) / np.sqrt(2)
    return noise


def spectrum(squares: Floats, step_mm: float) -> tuple[Floats, Floats]:
    """Frequencies in 1/mm and the radial noise power spectrum, area 1."""
    n = squares.shape[1]
    power = (np.abs(np.fft.fft2(squares)) ** 2).mean(axis=0)
    f = np.fft.fftfreq(n, step_mm)
    radius, width = np.hypot(f[:, None], f), 1.0 / (n * step_mm)
    rings = np.arange(width, 0.5 / step_mm, width)
    mean = np.array([power[np.abs(radius - r) < width / 2].mean() for r in rings])
    density: Floats = mean / mean.sum() / width
    return rings, density


def water_scan(spacing: tuple[float, float, float], seed: int) -> Volume:
    """Water in the spacing of a real scan, with a quality that the phantom draws."""
    rng = np.random.default_rng(seed)
    n = max(24, round(3 * SQUARE_MM / spacing[0]))
    grid = Grid((n, n, 6), np.diag([*spacing, 1.0]))
    quality = draw_quality(
        rng, (min(spacing[2], 1.5) if spacing[2] < 4 else spacing[2], spacing[2]), spacing[0]
    )
    scan = Acquisition(grid, np.eye(4), spacing[0], quality)
    return Volume(expose(torch.full(grid.shape, 60.0), scan, seed).numpy(), grid.affine)


def draw_scan(axes: Any, path: Path, draws: int) -> None:
    """Draw one scan's noise and spectrum beside the drawn ones, and print the quartiles.

    Raises:
        InputError: the scan cannot be read, or shows no quiet soft tissue.
    """
    left, right = axes
    volume = read_scan(path).volume.oriented()
    spacing = volume.grid.spacing_mm
    real = noise_squares(volume, water=False)
    if not len(real):
        raise InputError(f"'{path}' shows no square of soft tissue without edges; give a scan of the trunk.")
    drawn = [noise_squares(water_scan(spacing, s), water=True) for s in range(draws)]
    real_hu, drawn_hu = real.std(axis=(1, 2)), np.array([d.std() for d in drawn])
    quartiles = [np.round(np.percentile(v, (10, 25, 50, 75, 90)), 1).tolist() for v in (real_hu, drawn_hu)]
    print(
        f"{path.name}: {len(real)} squares; noise in HU at 10/25/50/75/90 %: real {quartiles[0]}, drawn {quartiles[1]}"
    )
    bins = np.arange(0.0, 50.0, 2.0)
    left.hist(real_hu, bins, density=True, alpha=0.5, label="squares of the real scan")
    left.hist(drawn_hu, bins, density=True, histtype="step", color="tab:red", label="drawn scans")
    left.set(xlabel="noise (HU)", title=path.name)
    left.legend()
    for squares in drawn:
        right.plot(*spectrum(squares, spacing[0]), color="tab:red", linewidth=0.5)
    right.plot(*spectrum(real, spacing[0]), color="black", linewidth=2, label="real")
    right.set(xlabel="frequency (1/mm)", ylabel="noise power, area 1")
    right.legend()


def main() -> int:
    """Measure and draw; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scans", type=Path, nargs="+", metavar="SCAN")
    parser.add_argument("--output", type=Path, required=True, metavar="PNG")
    parser.add_argument("--draws", type=int, default=30, metavar="N")
    arguments = parser.parse_args()
    count = len(arguments.scans)
    figure = Figure(figsize=(11, 4 * count), layout="tight")
    try:
        if arguments.draws < 1:
            raise ConfigError("--draws must be 1 or more.")
        for axes, path in zip(figure.subplots(count, 2, squeeze=False), arguments.scans, strict=True):
            draw_scan(axes, path, arguments.draws)
        with atomic_path(arguments.output) as partial:
            figure.savefig(partial, format="png", dpi=80)
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
