"""What a user may choose about a prediction."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from vertseg.errors import ConfigError
from vertseg.labels import APPROACHES, FINDINGS, VISCOSITIES

if TYPE_CHECKING:
    from vertseg.inference.findings import Vertebra

Device = Literal["auto", "cpu", "cuda"]
Progress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done and the steps in all."""


def _silent(stage: str, done: int, total: int) -> None:
    return None


@dataclass(frozen=True)
class Plan:
    """The injection a leak risk is asked for; None is unknown.

    Attributes:
        volume_ml: cement in ml, 0 to 20.
        viscosity: one of `vertseg.labels.VISCOSITIES`.
        approach: one of `vertseg.labels.APPROACHES`.

    Raises:
        ConfigError: a value that is not possible.
    """

    volume_ml: float | None = None
    viscosity: str | None = None
    approach: str | None = None

    def __post_init__(self) -> None:
        if self.volume_ml is not None and not 0 < self.volume_ml <= 20:
            raise ConfigError(f"A cement volume of {self.volume_ml} ml is not possible; give 0 to 20 ml.")
        for value, known, what in (
            (self.viscosity, VISCOSITIES, "viscosity"),
            (self.approach, APPROACHES, "approach"),
        ):
            if value is not None and value not in known:
                raise ConfigError(f"'{value}' is no {what}; it is one of {', '.join(known)}.")

    def numbers(self) -> tuple[float, float, float]:
        """Volume in ml, viscosity and approach indices as the examine network takes them; NaN is unknown."""
        nan = float("nan")
        return (
            nan if self.volume_ml is None else float(self.volume_ml),
            nan if self.viscosity is None else float(VISCOSITIES.index(self.viscosity)),
            nan if self.approach is None else float(APPROACHES.index(self.approach)),
        )


@dataclass(frozen=True)
class PredictOptions:
    """Choices of one prediction.

    Attributes:
        levels: level numbers to examine and report; None takes all that are found.
        point_mm: (x, y, z) in world RAS mm; only the vertebra there is examined and reported.
        device: "auto" takes a CUDA device where there is one.
        engine: what runs the networks, see `vertseg.inference.engines.open_engine`.
        checkpoint_dir: folder with locate.safetensors and examine.safetensors; None takes the default ones.
        series: DICOM series UID where a folder holds several.
        plan: the injection that the leak risk is asked for.
        fusion: weight of the locate network in the final vertebra probability inside a crop, 0 to 1. On phantoms
            of other seeds than the test's examine alone was best, on a real scan weights to 0.5 differed by 0.001.
        finding_thresholds: probability from which a voxel belongs to each of `labels.FINDINGS`; the defaults were
            read off the FROC curves of 17 validation phantoms (`checkpoints/evaluation/validation_phantoms.json`):
            about one false lesion and half a false wall defect a scan.
        batch: crops per forward pass.
        threads: CPU threads; None leaves torch's own choice.
        progress: called as the work goes on.
        plan_of: the injection of each vertebra where they differ, such as those of a leak table; None takes `plan`
            for all.
        probabilities: keep the findings' probabilities too, four float16 volumes of the scan's size.

    Raises:
        ConfigError: a value that is not possible.
    """

    levels: tuple[int, ...] | None = None
    device: Device = "auto"
    engine: str = "auto"
    checkpoint_dir: Path | None = None
    series: str | None = None
    plan: Plan = field(default_factory=Plan)
    fusion: float = 0.0
    finding_thresholds: tuple[float, ...] = (0.7, 0.7, 0.7, 0.5)
    batch: int = 4
    threads: int | None = None
    progress: Progress = _silent
    plan_of: "Callable[[Vertebra], Plan] | None" = None
    probabilities: bool = False
    point_mm: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if len(self.finding_thresholds) != len(FINDINGS):
            raise ConfigError(f"finding_thresholds needs one value for each of {', '.join(FINDINGS)}.")
        for name, value in (("fusion", self.fusion), *zip(FINDINGS, self.finding_thresholds, strict=True)):
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} must lie between 0 and 1, not {value}.")
        if self.point_mm is not None and self.levels is not None:
            raise ConfigError("A point names the vertebra to examine, and so do levels; give one of them.")
        if self.point_mm is not None and not (len(self.point_mm) == 3 and np.isfinite(self.point_mm).all()):
            raise ConfigError(f"A point needs three numbers in mm, not {self.point_mm}.")
        if self.batch < 1:
            raise ConfigError(f"batch must be at least 1, not {self.batch}.")
