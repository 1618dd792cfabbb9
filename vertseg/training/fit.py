"""A whole training from a recipe: data, network, trainer, resume, summary."""

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from vertseg.data.datamodule import DrawnDataModule, FolderDataModule, PhantomDataModule
from vertseg.data.recipes import ExamineData
from vertseg.errors import ConfigError
from vertseg.io.atomic import write_text
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.meta import Meta, Task
from vertseg.nets.unet import ExamineNet, LocateNet
from vertseg.training.callbacks import AveragedWeights, Export, StepClock, git_commit
from vertseg.training.examine import ExamineModule
from vertseg.training.locate import LocateModule
from vertseg.training.pictures import ValidationPicture
from vertseg.training.recipes import LocateRecipe, Recipe


def fit(recipe: Recipe, resume: str | None = None) -> dict[str, Any]:
    """Train a network and write its checkpoint; returns the summary (also in `summary.json`).

    Args:
        recipe: what to train and how.
        resume: path of a resume file, or "last" for the one in the output folder; None starts anew.

    Raises:
        ConfigError: the resume file is absent, or it or the initial checkpoint is of another network.
        CheckpointError: the initial checkpoint is absent or damaged.
    """
    output, task = Path(recipe.run.output), task_of(recipe)
    output.mkdir(parents=True, exist_ok=True)
    started = _resume_step(resume, output)
    seed_everything(recipe.run.seed + started[1], verbose=False)
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    average = AveragedWeights(recipe.optimisation.ema_decay)
    module = LocateModule(recipe) if isinstance(recipe, LocateRecipe) else ExamineModule(recipe)
    meta = _meta(recipe)
    if recipe.run.initial is not None:
        net, ancestor = _initial(recipe)
        module.net.load_state_dict(net.state_dict())
        meta = dataclasses.replace(meta, trained_on={**meta.trained_on, "initial": _ancestry(ancestor)})
    export = Export(output / task, meta, recipe.run.export_every, average)
    trainer = _trainer(recipe, output, [average, export, ValidationPicture(output / "validation.png")])
    before = time.perf_counter()
    path = None if started[0] is None else str(started[0])
    try:
        trainer.fit(module, datamodule=data_module(recipe), ckpt_path=path, weights_only=True)
    except RuntimeError as error:
        if "size mismatch" in str(error) or "state_dict" in str(error):
            raise ConfigError(
                f"{path} is of another network than this recipe's; train without --resume."
            ) from None
        raise
    return _write_summary(output, recipe, trainer.global_step, time.perf_counter() - before, export.metrics)


def _initial(recipe: Recipe) -> tuple[LocateNet | ExamineNet, Meta]:
    """The network that a recipe starts from."""
    path = Path(str(recipe.run.initial))
    if path.is_dir():
        path = path / f"{task_of(recipe)}.safetensors"
    net, meta = load_checkpoint(path)
    if meta.task != task_of(recipe) or meta.filters != tuple(recipe.filters):
        raise ConfigError(
            f"{path} is a {meta.task} network with filters {list(meta.filters)}; this recipe trains "
            f"{task_of(recipe)} with filters {list(recipe.filters)}. Choose another checkpoint or set filters alike."
        )
    return net, meta


def _ancestry(meta: Meta) -> dict[str, Any]:
    """What a checkpoint's JSON keeps of the one it started from: all that it saw counts as seen."""
    return {"sha256": meta.sha256, "steps": meta.steps, "trained_on": dict(meta.trained_on)}


def task_of(recipe: Recipe) -> Task:
    """Name of the task that a recipe trains."""
    return "locate" if isinstance(recipe, LocateRecipe) else "examine"


def data_module(recipe: Recipe) -> DrawnDataModule:
    """The data module a recipe asks for: a labelled folder if it names an index, else phantoms."""
    steps = recipe.optimisation.max_steps
    if recipe.data.loading.index is None:
        return PhantomDataModule(recipe.data, steps)
    return FolderDataModule(recipe.data, steps)


def _resume_step(resume: str | None, output: Path) -> tuple[Path | None, int]:
    if resume is None:
        return None, 0
    path = output / "last.ckpt" if resume == "last" else Path(resume)
    if not path.exists():
        raise ConfigError(f"There is no resume file {path}; leave --resume out to start anew.")
    content = torch.load(path, map_location="cpu", weights_only=True)
    return path, int(content["global_step"])


def _meta(recipe: Recipe) -> Meta:
    data = recipe.data
    trained_on: dict[str, Any] = (
        {"phantom_seeds": list(data.train_seeds)}
        if data.loading.index is None
        else {"index": data.loading.index}
    )
    if isinstance(data, ExamineData) and data.leak_table is not None:
        trained_on["leak_table"] = data.leak_table
    crop_shape = data.crop_shape if isinstance(data, ExamineData) else None
    return Meta(
        task_of(recipe), recipe.filters, data.spacing_mm, crop_shape, trained_on, git_commit=git_commit()
    )


def _trainer(recipe: Recipe, output: Path, callbacks: list[Callback]) -> Trainer:
    run, optimisation = recipe.run, recipe.optimisation
    cuda = run.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    precision = run.precision if run.precision != "auto" else ("bf16-mixed" if cuda else "32-true")
    loggers: list[Logger] = [CSVLogger(output, name="log", flush_logs_every_n_steps=run.log_every)]
    if run.logger == "wandb":
        offline = "WANDB_API_KEY" not in os.environ
        loggers.append(WandbLogger(project="vertseg", save_dir=output, offline=offline))
    progress: list[Callback] = [TQDMProgressBar(refresh_rate=10)] if run.progress else []
    return Trainer(
        accelerator=run.accelerator,
        devices=1,
        precision=precision,
        max_steps=optimisation.max_steps,
        max_time=optimisation.max_time,
        gradient_clip_val=optimisation.gradient_clip,
        val_check_interval=min(run.validate_every, optimisation.max_steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=run.log_every,
        logger=loggers,
        enable_checkpointing=False,
        enable_progress_bar=run.progress,
        enable_model_summary=False,
        callbacks=[StepClock(), *progress, *callbacks],
        default_root_dir=output,
    )


def _write_summary(
    output: Path, recipe: Recipe, steps: int, seconds: float, metrics: dict[str, float]
) -> dict[str, Any]:
    summary = {
        "task": task_of(recipe),
        "steps": steps,
        "seconds": round(seconds, 1),
        "metrics": metrics,
        "checkpoint": str(output / f"{task_of(recipe)}.safetensors"),
        "recipe": dataclasses.asdict(recipe),
    }
    write_text(output / "summary.json", json.dumps(summary, indent=1) + "\n")
    return summary


def prepare(recipe: Recipe) -> None:
    """Render every phantom of a recipe that is not in its cache yet; a training may run meanwhile."""
    from rich.progress import track

    data = data_module(recipe)
    if not isinstance(data, PhantomDataModule) or recipe.data.loading.cache_dir is None:
        raise ConfigError("Only a recipe of phantoms with data.loading.cache_dir has a cache to fill.")
    cache = data.caches()["train"]
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    for seed in track(data.missing(), description="rendering"):
        cache.get(seed)
