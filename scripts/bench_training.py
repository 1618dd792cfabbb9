#!/usr/bin/env python3
"""Throughput of the training step of the examine recipe against a plain loop and against nnU-Net's trainer.

python scripts/bench_training.py [--rounds 3] [--steps 4] [--output benchmarks/training.json]

Same crops, same batch, same U-Net, one thread, on one machine; in each round every contestant does the same number
of steps, so that a busy machine slows all alike:
    vertseg      `vertseg train examine` as it is: Lightning, averaged weights, checks, crops from the disk cache
    plain        MONAI's CacheDataset with the same augmentation and a PyTorch loop: no averages, no checks
    nnunet       nnU-Net's trainer on the same U-Net with the tissue head alone, its own loss and optimiser
    nnunet_augmented   the same with nnU-Net's augmentation
vertseg and plain also train the findings and the leak head, which nnU-Net has no place for. nnU-Net lives in a virtual
environment of its own (.venv-nnunet), which is made when absent.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from lightning import Callback
from monai.data import CacheDataset
from torch.utils.data import DataLoader, default_collate

from vertseg.data.datamodule import EXAMINE_KEYS, MixedDataModule, examine_transform
from vertseg.errors import ConfigError, VertsegError
from vertseg.io.atomic import write_text
from vertseg.processor import processor
from vertseg.training.config import load_recipe
from vertseg.training.examine import ExamineModule
from vertseg.training.fit import fit
from vertseg.training.recipes import ExamineRecipe

REPOSITORY = Path(__file__).parents[1]
NNUNET_ENVIRONMENT = REPOSITORY / ".venv-nnunet"
NNUNET = "nnunetv2==2.8.1"
CASES = 8

Times = list[dict[str, float]]


class StepTimes(Callback):
    """Wall and core seconds of each step but the first, which warms up."""

    def __init__(self) -> None:
        self.times: Times = []
        self._last: tuple[float, float] | None = None

    def on_train_batch_end(self, *_: Any) -> None:
        now = (time.perf_counter(), time.process_time())
        if self._last is not None:
            self.times.append({"seconds": now[0] - self._last[0], "core": now[1] - self._last[1]})
        self._last = now


def recipe_of(cache_dir: Path, output: Path, steps: int) -> ExamineRecipe:
    overrides = [
        f"data.loading.cache_dir={cache_dir}", f"data.train_seeds=[0, {CASES}]", "run.threads=1", "run.progress=false",
        "data.validation_seeds=[900000, 900001]", f"optimisation.max_steps={steps + 1}", f"run.output={output}",
        f"run.validate_every={steps + 1}", "run.log_every=1",
    ]  # fmt: skip
    recipe = load_recipe("examine", REPOSITORY / "configs" / "examine.yaml", overrides)
    assert isinstance(recipe, ExamineRecipe)
    return recipe


def vertseg_steps(recipe: ExamineRecipe) -> Times:
    """Steps of `vertseg train`, from one batch's end to the next one's."""
    clock = StepTimes()
    fit(recipe, watch=[clock])
    return clock.times


class PlainLoop:
    """The loop that one would write first: cached crops, MONAI transforms, AdamW, clipping."""

    def __init__(self, recipe: ExamineRecipe) -> None:
        torch.manual_seed(recipe.run.seed)
        self._recipe = recipe
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = ExamineModule(recipe).to(self._device)
        self._optimizer = torch.optim.AdamW(self._module.parameters(), recipe.optimisation.learning_rate)
        self._data = MixedDataModule(recipe.data, 1)
        self._data.setup()
        assert self._data.phantoms is not None
        load = self._data.phantoms.source("training").load
        crops = [{**load(i), "source": np.int64(0)} for i in range(CASES)]
        dataset = CacheDataset(crops, examine_transform(recipe.data, False), progress=False)
        self._batches = self._endless(dataset)

    def _endless(self, dataset: Any) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            for batch in DataLoader(dataset, self._recipe.data.loading.batch_size, shuffle=True):
                own = {name: torch.as_tensor(batch[name]).to(self._device) for name in EXAMINE_KEYS}
                own["draw"] = torch.randint(2**31 - 1, (len(own["hu"]),))
                yield self._data.on_after_batch_transfer(own, 0)

    def steps(self, count: int) -> Times:
        times = []
        for _ in range(count):
            start, core = time.perf_counter(), time.process_time()
            batch = next(self._batches)
            with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
                loss = torch.stack(list(self._module.losses(batch).values())).sum()
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._module.parameters(), self._recipe.optimisation.gradient_clip)
            self._optimizer.step()
            loss.item()
            times.append({"seconds": time.perf_counter() - start, "core": time.process_time() - core})
        return times


class NnUnet:
    """nnU-Net's trainer in a process of its own environment, asked step by step."""

    def __init__(self, python: Path, recipe: ExamineRecipe, crops: Path) -> None:
        command = [
            str(python), str(REPOSITORY / "scripts" / "nnunet_step.py"), str(crops), json.dumps(recipe.filters),
            str(recipe.data.loading.batch_size),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        self.versions = self._answer()

    def steps(self, count: int, kind: str) -> Times:
        return [self._ask(kind) for _ in range(count)]

    def _ask(self, kind: str) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(kind + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None and self._process.stderr is not None
        for line in self._process.stdout:
            if line.startswith("ANSWER "):
                answer: dict[str, Any] = json.loads(line.removeprefix("ANSWER "))
                return answer
        raise ConfigError(f"nnU-Net's trainer ended: {self._process.stderr.read().strip().splitlines()[-1]}")

    def __enter__(self) -> "NnUnet":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


def nnunet_python() -> Path:
    """nnU-Net's interpreter; its environment is made when absent, torch first and pinned as in environment.sh.

    Raises:
        ConfigError: it could not be made.
    """
    python = NNUNET_ENVIRONMENT / "bin" / "python"
    stamp = NNUNET_ENVIRONMENT / f".{NNUNET}-installed"
    if stamp.exists():
        return python
    pins = (REPOSITORY / "constraints.txt").read_text().splitlines()
    kept = [pin for pin in pins if pin.startswith(("torch==", "numpy==", "monai=="))]
    torch_pin = next(pin for pin in kept if pin.startswith("torch=="))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(kept) + "\n")
        constraints.flush()
        pip = [str(python), "-m", "pip", "install", "--quiet", "-c", constraints.name]
        made = [[sys.executable, "-m", "venv", str(NNUNET_ENVIRONMENT)]]
        for command in [*made, [*pip, torch_pin], [*pip, NNUNET, "monai"]]:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
                raise ConfigError(f"nnU-Net's environment could not be made: {' '.join(reason)}")
    stamp.touch()
    return python


def write_crops(data: MixedDataModule, path: Path) -> None:
    """The crops as nnU-Net's trainer takes them: image (N, 2, X, Y, Z) and tissue (N, X, Y, Z)."""
    data.setup()
    assert data.train_set is not None
    batch = data.on_after_batch_transfer(default_collate([data.train_set[i] for i in range(CASES)]), 0)
    np.savez(path, image=batch["image"].numpy(), tissue=batch["tissue"].numpy())


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Steps of all contestants, round by round."""
    recipe = recipe_of(arguments.cache_dir, folder / "run", arguments.steps)
    data = MixedDataModule(recipe.data, 1)
    assert data.phantoms is not None
    for seed in data.phantoms.missing():
        data.phantoms.render(seed)
    write_crops(data, folder / "crops.npz")
    torch.set_num_threads(1)
    plain = PlainLoop(recipe)
    count = arguments.steps
    contestants: dict[str, Callable[[], Times]] = {
        "vertseg": lambda: vertseg_steps(recipe),
        "plain": lambda: plain.steps(count),
    }
    try:
        with NnUnet(nnunet_python(), recipe, folder / "crops.npz") as nnunet:
            contestants["nnunet"] = lambda: nnunet.steps(count, "plain")
            contestants["nnunet_augmented"] = lambda: nnunet.steps(count, "augmented")
            for warm in ("plain", "nnunet", "nnunet_augmented"):
                contestants[warm]()
            return compared(recipe, rounds(contestants, arguments.rounds), nnunet.versions)
    except ConfigError as error:
        ours = {name: contestants[name] for name in ("vertseg", "plain")}
        return {**compared(recipe, rounds(ours, arguments.rounds), {}), "nnunet_absent": str(error)}


def rounds(contestants: dict[str, Callable[[], Times]], number: int) -> dict[str, Times]:
    times: dict[str, Times] = {name: [] for name in contestants}
    for _ in range(number):
        for name, run in contestants.items():
            times[name] += run()
    return times


def compared(recipe: ExamineRecipe, times: dict[str, Times], versions: dict[str, str]) -> dict[str, Any]:
    """Medians, samples per second, and each contestant's seconds as a multiple of vertseg's (above 1: slower)."""
    batch = recipe.data.loading.batch_size
    medians = {
        name: {key: float(np.median([t[key] for t in own])) for key in ("seconds", "core")}
        for name, own in times.items()
    }
    ours = medians["vertseg"]
    return {
        "batch_size": batch, "crop_shape": recipe.data.crop_shape, "filters": recipe.filters,
        "steps": {
            name: {
                "n": len(times[name]), "median_s": round(m["seconds"], 4), "median_core_s": round(m["core"], 4),
                "quartiles_core_s": [
                    round(float(q), 4) for q in np.percentile([t["core"] for t in times[name]], [25, 75])
                ],
                "samples_per_s": round(batch / m["seconds"], 3),
            }
            for name, m in medians.items()
        },
        "times_of_vertseg": {
            name: {"wall": round(m["seconds"] / ours["seconds"], 3), "core": round(m["core"] / ours["core"], 3)}
            for name, m in medians.items() if name != "vertseg"
        },
        "nnunet_versions": versions,
    }  # fmt: skip


def machine() -> dict[str, Any]:
    names = ("torch", "lightning", "monai", "numpy")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": processor(), "gpu": gpu, "cores": os.cpu_count(), "threads": 1,
        "load_average": round(os.getloadavg()[0], 1), "versions": {n: importlib.metadata.version(n) for n in names},
    }  # fmt: skip


def main() -> int:
    """Measure and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="of each contestant in a round")
    parser.add_argument("--cache-dir", type=Path, default=Path(".cache"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/training.json"))
    arguments = parser.parse_args()
    try:
        if min(arguments.rounds, arguments.steps) < 1:
            raise ConfigError("--rounds and --steps must be 1 or more.")
        with tempfile.TemporaryDirectory() as folder:
            result = {"machine": machine(), **measure(arguments, Path(folder))}
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
