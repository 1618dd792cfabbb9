"""All image measures of the vertebrae of one scan, each seen beside its neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vertseg.planning.alignment import Alignment
from vertseg.planning.canal import CanalNarrowing
from vertseg.planning.collapse import Collapse
from vertseg.planning.density import TrabecularDensity
from vertseg.planning.lesion import LesionExtent
from vertseg.planning.sins import Pain, Sins, SinsComponent
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.wall_map import WallIntegrity, WallMap


@dataclass(frozen=True, eq=False)
class VertebraMeasures:
    """What is measured of one vertebra.

    Attributes:
        level: VerSe number.
        wall_map: for a picture; None where no wall is seen.
    """

    level: int
    name: str
    collapse: Collapse
    alignment: Alignment
    lesion: LesionExtent
    density: TrabecularDensity
    wall: WallIntegrity
    canal: CanalNarrowing
    sins: Sins
    wall_map: WallMap | None = None

    def values(self) -> dict[str, Any]:
        """Everything but the map's arrays, as plain values."""
        parts = ("collapse", "alignment", "lesion", "density", "wall", "canal", "sins")
        return {
            "level": self.name,
            "level_number": self.level,
            **{part: asdict(getattr(self, part)) for part in parts},
        }


def measure_vertebrae(
    vertebrae: Sequence[UprightVertebra], pain: Mapping[int, Pain] | None = None
) -> tuple[VertebraMeasures, ...]:
    """Measures of each vertebra, the others serving as its neighbours.

    Args:
        vertebrae: of one scan, in any order; give all that were found, also where one is to be treated.
        pain: by VerSe number, as the clinic knows it (SINS); a missing level is unknown.
    """
    return tuple(_unmeasured(vertebra) for vertebra in vertebrae)


def _unmeasured(vertebra: UprightVertebra) -> VertebraMeasures:
    lytic = float(vertebra.masks["lytic_lesion"].sum()) * vertebra.voxel_ml
    sclerotic = float(vertebra.masks["sclerotic_lesion"].sum()) * vertebra.voxel_ml
    unknown = [SinsComponent(0, high, "unknown") for high in (3, 3, 2, 4, 3, 3)]
    return VertebraMeasures(
        level=vertebra.level,
        name=vertebra.name,
        collapse=Collapse(),
        alignment=Alignment(),
        lesion=LesionExtent("none", lytic, sclerotic),
        density=TrabecularDensity(),
        wall=WallIntegrity(),
        canal=CanalNarrowing(),
        sins=Sins(lytic + sclerotic > 0, *unknown, 0, 18, "stable", "unstable"),
    )
