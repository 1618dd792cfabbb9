"""Typed training recipes: what configs/*.yaml says."""

from dataclasses import dataclass, field
from typing import Literal

from vertseg.data.recipes import ExamineData, LocateData
from vertseg.nets.losses import ExamineWeights, LocateWeights


@dataclass(frozen=True)
class Optimisation:
    """AdamW with linear warm-up and a cosine to zero at `max_steps`, and averaged weights.

    Attributes:
        max_time: stop after this long ("DD:HH:MM:SS"); the schedule follows steps all the same.
        ema_decay: decay of the exponential moving average that is validated and exported.
        gradient_clip: largest norm of the gradient.
    """

    max_steps: int = 4000
    max_time: str | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 100
    ema_decay: float = 0.999
    gradient_clip: float = 5.0


@dataclass(frozen=True)
class Run:
    """Where and how a training runs.

    Attributes:
        output: folder of logs, resume file and exported checkpoint.
        initial: checkpoint (.safetensors, or a folder that holds one of the task) to start from; null starts anew.
        seed: of the first weights, the order of cases and every random change.
        deterministic: refuse algorithms whose result varies, so that a resumed training on a CPU equals the
            uninterrupted one bit for bit; slower on a GPU, where some losses have no such algorithm and only warn.
        devices: processes on each node, one GPU each; "auto" is as many as torchrun or SLURM started, else one.
        num_nodes: machines; "auto" as above.
        strategy: "auto" is "ddp" for more than one process.
        threads: CPU threads of torch; 0 leaves torch's choice.
        precision: "auto" is bf16-mixed on CUDA and 32-true on a CPU.
        compile: let torch.compile make kernels of the U-Net; worth its first minutes on long runs on a GPU.
        log_every: steps between rows of the log.
        validate_every: steps between validations.
        export_every: steps between exported checkpoints and resume files.
        logger: "csv", or "wandb" (offline without an account) beside it, never in its place.
    """

    output: str = "runs"
    initial: str | None = None
    seed: int = 1
    threads: int = 1
    deterministic: bool = False
    accelerator: str = "auto"
    devices: int | Literal["auto"] = "auto"
    num_nodes: int | Literal["auto"] = "auto"
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    compile: bool = False
    log_every: int = 20
    validate_every: int = 400
    export_every: int = 200
    logger: Literal["csv", "wandb"] = "csv"
    progress: bool = True


@dataclass(frozen=True)
class LocateRecipe:
    """Everything of a locate training."""

    filters: tuple[int, ...] = (8, 24, 48, 96, 160)
    data: LocateData = field(default_factory=LocateData)
    optimisation: Optimisation = field(default_factory=Optimisation)
    weights: LocateWeights = field(default_factory=LocateWeights)
    run: Run = field(default_factory=Run)


@dataclass(frozen=True)
class ExamineRecipe:
    """Everything of an examine training."""

    filters: tuple[int, ...] = (8, 24, 48, 96, 160)
    data: ExamineData = field(default_factory=ExamineData)
    optimisation: Optimisation = field(default_factory=Optimisation)
    weights: ExamineWeights = field(default_factory=ExamineWeights)
    run: Run = field(default_factory=Run)


Recipe = LocateRecipe | ExamineRecipe
