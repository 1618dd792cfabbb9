"""Tiny trainings through the command, in this process or in one of its own."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from vertseg.training.command import train_command

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / "configs"


def arguments(task: str, output: Path, cache: Path, *more: str) -> list[str]:
    overrides = [f"run.output={output}", f"data.loading.cache_dir={cache}", "run.accelerator=cpu"]
    return [task, "--config", str(CONFIGS / f"{task}_tiny.yaml"), "--override", *overrides, *more]


def train(task: str, output: Path, cache: Path, *more: str) -> int:
    return train_command(arguments(task, output, cache, *more))


def start(launcher: list[str], *command: str) -> "subprocess.Popen[str]":
    """The command in processes of its own, one thread each; standard error is piped."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "vertseg.training.command", *command],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def column(output: Path, name: str) -> list[float]:
    """Values of a column of all curves in a run's folder."""
    rows: list[float] = []
    for path in sorted((output / "log").glob("*/metrics.csv")):
        with path.open() as file:
            rows += [float(row[name]) for row in csv.DictReader(file) if row.get(name)]
    return rows
