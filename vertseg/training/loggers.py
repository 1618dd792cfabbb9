"""Where curves, settings and pictures go: always a CSV folder, on request W&B too, which learns of no path or name."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger
from lightning_utilities.core.rank_zero import rank_zero_only

from vertseg.data.labelled import set_name
from vertseg.training.recipes import Recipe

if TYPE_CHECKING:
    import wandb

_PRIVATE: Final = ("output", "initial", "cache_dir", "index", "leak_table")
"""Keys that hold paths, in which hospitals write names and numbers of patients."""


def make_loggers(recipe: Recipe, output: Path) -> list[Logger]:
    """The loggers of a run, with its settings written: the recipe whole in the CSV folder, public keys in W&B.

    W&B writes to `output`/wandb and sends nothing unless WANDB_API_KEY is set; `wandb sync` sends it later.
    """
    csv = CSVLogger(output, name="log", flush_logs_every_n_steps=recipe.run.log_every)
    csv.log_hyperparams(flat(asdict(recipe)))
    loggers: list[Logger] = [csv]
    if recipe.run.logger == "wandb":
        offline = "WANDB_API_KEY" not in os.environ
        curves = WandbLogger(
            project="vertseg", save_dir=output, offline=offline, settings=_without_metadata()
        )
        curves.log_hyperparams(public_settings(recipe))
        loggers.append(curves)
    return loggers


def _without_metadata() -> "wandb.Settings":
    """No command line, host, user, code or console: W&B collects them on its own, and they hold paths as well."""
    import wandb

    return wandb.Settings(
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        disable_git=True,
        disable_code=True,
        save_code=False,
        console="off",
        host="",
        username="",
        program="",
    )


def public_settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe's keys and values without any path; those that were set are told to be "set"."""
    found = {}
    for key, value in flat(asdict(recipe)).items():
        private = key.rpartition(".")[2] in _PRIVATE or _is_path(value)
        found[key] = value if not private else (None if value is None else "set")
    return found


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys as dotted ones, those of several sets numbered; tuples become lists, which every logger writes."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            value = {str(number): own for number, own in enumerate(value)}
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return found


class PrivateWandbLogger(WandbLogger):
    """W&B, where figures of a labelled set are called by a public name."""

    def __init__(self, public_names: Mapping[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self._public_names = public_names

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send figures by their public names."""
        super().log_metrics({public_metric(k, self._public_names): v for k, v in metrics.items()}, step)


def public_set_names(recipe: Recipe) -> dict[str, str]:
    """Public name of each labelled set: the one that the recipe gives, never its folder's."""
    names = ((set_name(own), own.name or f"set_{n}") for n, own in enumerate(recipe.data.sets))
    return dict(names)


def public_metric(key: str, public_names: Mapping[str, str]) -> str:
    """A figure's name ("val/verse/dice_body") with its set's public name."""
    return "/".join(public_names.get(part, part) for part in key.split("/"))


def log_picture(trainer: Trainer, name: str, path: Path) -> None:
    """Send a picture's pixels to W&B, where that logs."""
    for run in _wandb_runs(trainer):
        import wandb

        run.log({name: wandb.Image(str(path)), "trainer/global_step": trainer.global_step})


def log_table(trainer: Trainer, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Send a table to W&B, where that logs."""
    for run in _wandb_runs(trainer):
        import wandb

        table = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        run.log({name: table, "trainer/global_step": trainer.global_step})


def finish_wandb(trainer: Trainer) -> None:
    """Close the W&B run, so that all of it lies on the disk and a later training starts its own."""
    for run in _wandb_runs(trainer):
        run.finish()


def _wandb_runs(trainer: Trainer) -> list[Any]:
    loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
    return [logger.experiment for logger in loggers] if trainer.is_global_zero else []


def _is_path(value: Any) -> bool:
    """Whether a value, or one in it, looks like a path: keys that other modules add are kept private as well."""
    if isinstance(value, list):
        return any(_is_path(v) for v in value)
    if isinstance(value, Mapping):
        return any(_is_path(v) for v in value.values())
    return isinstance(value, str) and (os.sep in value or Path(value).suffix != "")
