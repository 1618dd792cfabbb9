"""A whole training from a recipe: data, network, trainer, resume, summary."""

import dataclasses
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from lightning import Trainer, seed_everything
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback

from vertseg.data.datamodule import MixedDataModule
from vertseg.data.provenance import learned_from
from vertseg.data.recipes import ExamineData
from vertseg.errors import ConfigError
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.meta import Meta, Task
from vertseg.nets.unet import ExamineNet, LocateNet
from vertseg.training.callbacks import AveragedWeights, Export, git_commit
from vertseg.training.examine import ExamineModule
from vertseg.training.finite import FiniteSteps
from vertseg.training.locate import LocateModule
from vertseg.training.loggers import finish_wandb, make_loggers
from vertseg.training.pictures import ValidationPictures
from vertseg.training.processes import launched_processes
from vertseg.training.progress import StepClock, TrainingProgress
from vertseg.training.recipes import LocateRecipe, Recipe
from vertseg.training.record import ValidationRecord
from vertseg.training.seeds import StepSeeds
from vertseg.training.stopping import REQUEUE_SIGNAL, StopSignals, requeue_job
from vertseg.training.summary import Outcome, write_summary


def fit(recipe: Recipe, resume: str | None = None, watch: Sequence[Callback] = ()) -> dict[str, Any]:
    """Train a network and write its checkpoint; returns the summary (also in `summary.json`).

    Args:
        recipe: what to train and how.
        resume: path of a resume file, "last" for the one in the output folder, or "auto" for that one if there
            is one; None starts anew.
        watch: further callbacks, such as a benchmark's clock.

    Raises:
        ConfigError: the resume file is absent, or it or the initial checkpoint is of another network.
        CheckpointError: the initial checkpoint is absent or damaged.
        TrainingError: the loss was no number in many steps in a row.
    """
    output, task = Path(recipe.run.output), task_of(recipe)
    output.mkdir(parents=True, exist_ok=True)
    path = _resume_path(resume, output)
    processes = launched_processes(recipe.run)
    seed_everything(recipe.run.seed, verbose=False)
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    module = LocateModule(recipe) if isinstance(recipe, LocateRecipe) else ExamineModule(recipe)
    meta = _meta(recipe)
    if recipe.run.initial is not None:
        net, ancestor = _initial(recipe)
        module.net.load_state_dict(net.state_dict())
        meta = dataclasses.replace(meta, trained_on={**meta.trained_on, "initial": _ancestry(ancestor)})
    parts = _Parts.of(recipe, output, meta)
    trainer = _trainer(recipe, output, processes, [*parts.callbacks(recipe, output), *watch])
    data = data_module(recipe)
    data.seed = recipe.run.seed
    before = time.perf_counter()
    try:
        resume_file = None if path is None else str(path)
        with warnings.catch_warnings():
            # Lightning cannot know that the draws go on where they stopped (data.draws).
            warnings.filterwarnings("ignore", message=".*ended before the epoch ended")
            trainer.fit(module, datamodule=data, ckpt_path=resume_file, weights_only=True)
    except RuntimeError as error:
        if "size mismatch" in str(error) or "state_dict" in str(error):
            raise ConfigError(
                f"{path} is of another network than this recipe's; train without --resume."
            ) from None
        raise
    finally:
        finish_wandb(trainer)
    seconds, stop = time.perf_counter() - before, parts.stop.received
    outcome = Outcome(trainer, seconds, parts.clock, parts.record, parts.finite.skipped, stop)
    summary = write_summary(output / "summary.json", recipe, output / f"{task}.safetensors", outcome)
    if stop == REQUEUE_SIGNAL and trainer.is_global_zero:
        requeue_job()
    return summary


@dataclass(frozen=True)
class _Parts:
    """The callbacks that have something to tell when a training has ended."""

    average: AveragedWeights
    record: ValidationRecord
    finite: FiniteSteps
    stop: StopSignals
    clock: StepClock
    export: Export

    @classmethod
    def of(cls, recipe: Recipe, output: Path, meta: Meta) -> "_Parts":
        average, record = AveragedWeights(recipe.optimisation.ema_decay), ValidationRecord()
        export = Export(output / task_of(recipe), meta, recipe.run.export_every, average, record)
        return cls(average, record, FiniteSteps(), StopSignals(), StepClock(), export)

    def callbacks(self, recipe: Recipe, output: Path) -> list[Callback]:
        """In the order that they rely on: the export after all that it writes, the seeds of the next step last."""
        run = recipe.run
        progress = [TrainingProgress(task_of(recipe), self.clock, run.log_every)] if run.progress else []
        judged = [self.finite, self.average, self.record, ValidationPictures(output)]
        return [*judged, self.stop, self.export, self.clock, *progress, StepSeeds(run.seed)]


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


def data_module(recipe: Recipe) -> MixedDataModule:
    """The data module of a recipe."""
    return MixedDataModule(recipe.data, recipe.optimisation.max_steps)


def _resume_path(resume: str | None, output: Path) -> Path | None:
    if resume is None or (resume == "auto" and not (output / "last.ckpt").exists()):
        return None
    path = output / "last.ckpt" if resume in ("auto", "last") else Path(resume)
    if not path.exists():
        raise ConfigError(f"There is no resume file {path}; leave --resume out to start anew.")
    return path


def _meta(recipe: Recipe) -> Meta:
    data, trained_on = recipe.data, learned_from(recipe.data)
    crop_shape = data.crop_shape if isinstance(data, ExamineData) else None
    return Meta(
        task_of(recipe), recipe.filters, data.spacing_mm, crop_shape, trained_on, git_commit=git_commit()
    )


def _trainer(recipe: Recipe, output: Path, processes: tuple[int, int], callbacks: list[Callback]) -> Trainer:
    run, optimisation = recipe.run, recipe.optimisation
    cuda = run.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    precision = run.precision if run.precision != "auto" else ("bf16-mixed" if cuda else "32-true")
    # Some losses have no deterministic algorithm on CUDA; there a warning names them instead of an end.
    deterministic: bool | Literal["warn"] = ("warn" if cuda else True) if run.deterministic else False
    # Lightning's own requeueing may save between the halves of an optimiser's step; ours waits (StopSignals).
    plugins = SLURMEnvironment(auto_requeue=False) if SLURMEnvironment.detect() else None
    return Trainer(
        accelerator=run.accelerator,
        devices=processes[0],
        num_nodes=processes[1],
        strategy=run.strategy,
        plugins=plugins,
        use_distributed_sampler=False,
        precision=precision,
        deterministic=deterministic,
        max_steps=optimisation.max_steps,
        max_time=optimisation.max_time,
        gradient_clip_val=optimisation.gradient_clip,
        val_check_interval=min(run.validate_every, optimisation.max_steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=run.log_every,
        logger=make_loggers(recipe, output),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
        default_root_dir=output,
    )


def prepare(recipe: Recipe) -> None:
    """Render every phantom of a recipe that is not in its cache yet; a training may run meanwhile."""
    from rich.progress import track

    from vertseg.phantom.memory import keep_freed_memory

    keep_freed_memory()
    phantoms = data_module(recipe).phantoms
    if phantoms is None or recipe.data.loading.cache_dir is None:
        raise ConfigError("Only a recipe of phantoms with data.loading.cache_dir has a cache to fill.")
    if recipe.run.threads:
        torch.set_num_threads(recipe.run.threads)
    for seed in track(phantoms.missing(), description="rendering"):
        phantoms.render(seed)
