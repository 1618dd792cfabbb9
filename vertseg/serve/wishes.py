"""What a client may wish of a prediction."""

import math
from dataclasses import dataclass
from typing import Any

from vertseg.errors import ConfigError
from vertseg.inference.options import Plan, PredictOptions, Progress
from vertseg.labels import level_name, level_number


@dataclass(frozen=True)
class Wishes:
    """Options of one job, as plain values.

    Attributes:
        levels: names of the levels to examine; empty takes all.
        point_mm: a point in or near one vertebra, world RAS mm: that vertebra alone is reported.
        series: DICOM series, where an upload holds several.
        cement_ml: planned cement.
        viscosity: of the cement.
        approach: of the cannula.

    Raises:
        ConfigError: a value that is not possible.
    """

    levels: tuple[str, ...] = ()
    point_mm: tuple[float, float, float] | None = None
    series: str | None = None
    cement_ml: float | None = None
    viscosity: str | None = None
    approach: str | None = None

    def __post_init__(self) -> None:
        names = tuple(level_name(level_number(name)) for name in self.levels)
        object.__setattr__(self, "levels", names)
        if self.levels and self.point_mm is not None:
            raise ConfigError("Give levels or a point, not both.")
        if self.point_mm is not None and not all(math.isfinite(x) for x in self.point_mm):
            raise ConfigError("A point needs three finite numbers, in mm.")
        self.plan()

    def plan(self) -> Plan:
        """The injection that the leak risk is asked for."""
        return Plan(self.cement_ml, self.viscosity, self.approach)

    def options(self, progress: Progress) -> PredictOptions:
        """These wishes as `predict` takes them."""
        levels = tuple(level_number(name) for name in self.levels) or None
        return PredictOptions(
            levels=levels, point_mm=self.point_mm, series=self.series, plan=self.plan(), progress=progress
        )

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Wishes":
        """Wishes from plain values, as `dataclasses.asdict` gives them and JSON carries them."""
        point = values.get("point_mm")
        return cls(
            **{**values, "levels": tuple(values["levels"]), "point_mm": tuple(point) if point else None}
        )


def parse_point(text: str | None) -> tuple[float, float, float] | None:
    """The point of "x,y,z" in mm; None for an empty text.

    Raises:
        ConfigError: it is not three numbers.
    """
    if not text:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError("A point is three numbers in mm, written x,y,z (world RAS).") from None
    return x, y, z


def parse_level_names(text: str | None) -> tuple[str, ...]:
    """Names of "L1,L2"; none for an empty text."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
