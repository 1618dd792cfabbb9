import json
from pathlib import Path

import pytest
import torch
from lightning import Trainer, seed_everything
from torch.utils.data import default_collate

from tests.training.commands import CONFIGS, arguments, column, start
from vertseg.data.draws import Share, StepSampler
from vertseg.errors import ConfigError
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.training.config import load_recipe
from vertseg.training.examine import ExamineModule
from vertseg.training.fit import data_module
from vertseg.training.module import learning_rate_factor
from vertseg.training.processes import launched_processes
from vertseg.training.recipes import ExamineRecipe, Run

STEPS = 4
WORLD = 2
WITHOUT_DROPOUT = "weights.leak=0"
"""The leak head drops features at random, of which each process draws its own."""
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={WORLD}"]


def _recipe(cache: Path) -> ExamineRecipe:
    overrides = [f"data.loading.cache_dir={cache}", "data.loading.batch_size=1", WITHOUT_DROPOUT]
    recipe = load_recipe("examine", CONFIGS / "examine_tiny.yaml", overrides)
    assert isinstance(recipe, ExamineRecipe)
    return recipe


def _single_process(recipe: ExamineRecipe) -> tuple[ExamineModule, list[float]]:
    """The same training written out: each step's two samples in one process, their losses averaged."""
    seed_everything(recipe.run.seed)
    module, data, own = ExamineModule(recipe), data_module(recipe), recipe.optimisation
    data.setup()
    assert data.train_set is not None
    optimizer = module.configure_optimizers()["optimizer"]
    average = {k: v.clone() for k, v in module.net.state_dict().items()}
    losses = []
    for step in range(STEPS):
        terms = []
        for rank in range(WORLD):
            draws = StepSampler(
                len(data.train_set), range(step, step + 1), Share(1, rank, WORLD), recipe.run.seed
            )
            batch = data.on_after_batch_transfer(default_collate([data.train_set[d] for d in draws]), 0)
            terms.append(torch.stack(list(module.losses(batch).values())).sum())
        loss = torch.stack(terms).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), own.gradient_clip)
        for group in optimizer.param_groups:
            group["lr"] = own.learning_rate * learning_rate_factor(step, own)
        optimizer.step()
        weight = 1 - min(own.ema_decay, (2 + step) / (11 + step))
        with torch.no_grad():
            for name, value in module.net.state_dict().items():
                average[name].lerp_(value, weight)
    module.net.load_state_dict(average)
    return module, losses


def test_two_processes_reach_what_one_process_does_with_the_same_global_batch(
    tmp_path: Path, cache: Path
) -> None:
    recipe = _recipe(cache)
    module, losses = _single_process(recipe)
    more = ["data.loading.batch_size=1", f"optimisation.max_steps={STEPS}", f"run.validate_every={STEPS}"]
    process = start(TORCHRUN, *arguments("examine", tmp_path, cache, *more, WITHOUT_DROPOUT))
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 0, told

    assert column(tmp_path, "train/loss") == pytest.approx(losses, rel=1e-4)
    net, meta = load_checkpoint(tmp_path / "examine.safetensors")
    expected = module.net.state_dict()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-5, msg=name)

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["global_batch"], summary["processes"], summary["steps"]) == (WORLD, WORLD, STEPS)
    assert len(list((tmp_path / "log").glob("version_*"))) == 1

    # Each process validated one of the two cases; the exported figures are those of both.
    module.net.load_state_dict(net.state_dict())
    trainer = Trainer(accelerator="cpu", devices=1, logger=False, enable_progress_bar=False)
    figures = trainer.validate(module, datamodule=data_module(recipe), verbose=False)[0]
    assert dict(meta.metrics) == pytest.approx(figures, abs=2e-5)


def test_numbers_of_processes_come_from_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched_processes(Run()) == (1, 1)
    assert launched_processes(Run(devices=4)) == (4, 1)
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "3", "RANK": "0", "LOCAL_RANK": "0",
        "MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "GROUP_RANK": "0",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert launched_processes(Run()) == (3, 2)
    assert launched_processes(Run(devices=3, num_nodes=2)) == (3, 2)
    with pytest.raises(ConfigError, match=r"6 processes were started \(3 on each of 2 nodes\)"):
        launched_processes(Run(devices=2))


def test_slurm_tells_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4", "SLURM_JOB_NAME": "train"}.items():
        monkeypatch.setenv(name, value)
    assert launched_processes(Run()) == (4, 2)
