"""All image measures of the vertebrae of one scan, each seen beside its neighbours."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vertseg.planning.alignment import Alignment, Stance, alignment, direct_neighbours, stance
from vertseg.planning.body_surfaces import BodySurfaces, body_surfaces, cut_by_field
from vertseg.planning.canal import (
    Canal,
    CanalNarrowing,
    canal_at,
    canal_distances_mm,
    canal_narrowing,
    with_retropulsion,
)
from vertseg.planning.collapse import Collapse, Heights, body_heights, collapse
from vertseg.planning.density import TrabecularDensity, trabecular_density
from vertseg.planning.lesion import LesionExtent, lesion_extent
from vertseg.planning.posterior_wall import PosteriorWall, posterior_wall
from vertseg.planning.sins import Pain, Sins, sins
from vertseg.planning.upright import UprightVertebra
from vertseg.planning.wall_integrity import WallIntegrity, wall_integrity, with_canal_distances
from vertseg.planning.wall_map import WallMap


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


@dataclass(frozen=True, eq=False)
class _Seen:
    """One vertebra with all that its own voxels tell of its surfaces."""

    vertebra: UprightVertebra
    surfaces: BodySurfaces | None
    wall: PosteriorWall | None
    heights: Heights | None
    stance: Stance | None
    canal: Canal | None


def measure_vertebrae(
    vertebrae: Sequence[UprightVertebra],
    pain: Mapping[int, Pain] | None = None,
    levels: Collection[int] | None = None,
) -> tuple[VertebraMeasures, ...]:
    """Measures of each vertebra that is asked for, in the order given, the others serving as its neighbours.

    Args:
        vertebrae: of one scan, in any order; give all that were found, also where one is to be treated.
        pain: by VerSe number, as the clinic knows it (SINS); a missing level is unknown.
        levels: VerSe numbers of those that are asked for; None takes all.
    """
    column = {v.level: _seen(v) for v in vertebrae}
    return tuple(
        _measured(column[v.level], column, (pain or {}).get(v.level))
        for v in vertebrae
        if levels is None or v.level in levels
    )


def _seen(vertebra: UprightVertebra) -> _Seen:
    surfaces = body_surfaces(vertebra)
    if surfaces is None:
        return _Seen(vertebra, None, None, None, None, None)
    wall = posterior_wall(vertebra, surfaces)
    if cut_by_field(vertebra):
        # Neither its endplates nor the least place of its canal are known.
        return _Seen(vertebra, surfaces, wall, None, None, None)
    return _Seen(
        vertebra,
        surfaces,
        wall,
        body_heights(surfaces),
        stance(vertebra, surfaces, wall),
        canal_at(vertebra, wall),
    )


def _measured(own: _Seen, column: Mapping[int, _Seen], pain: Pain | None) -> VertebraMeasures:
    vertebra, level = own.vertebra, own.vertebra.level
    heights = {n: seen.heights for n, seen in column.items() if seen.heights is not None}
    lost = collapse(level, heights)
    stands = alignment(level, [seen.stance for seen in column.values() if seen.stance is not None])
    wall, wall_map = (
        (WallIntegrity(), None) if own.surfaces is None else wall_integrity(vertebra, own.surfaces, own.wall)
    )
    if wall_map is not None and own.canal is not None and wall.defects:
        wall = with_canal_distances(wall, wall_map, vertebra, canal_distances_mm(vertebra, own.canal))
    extent = lesion_extent(vertebra, own.surfaces, own.wall, wall_map)
    return VertebraMeasures(
        level=level,
        name=vertebra.name,
        collapse=lost,
        alignment=stands,
        lesion=extent,
        density=trabecular_density(vertebra, own.wall),
        wall=wall,
        canal=_canal(own, column),
        sins=sins(level, extent, lost, stands, pain),
        wall_map=wall_map,
    )


def _canal(own: _Seen, column: Mapping[int, _Seen]) -> CanalNarrowing:
    near = [column[n] for n in direct_neighbours(own.vertebra.level, column)]
    narrowing = canal_narrowing(own.canal, [seen.canal for seen in near if seen.canal is not None])
    both = [(seen.stance, seen.wall) for seen in near if seen.stance is not None and seen.wall is not None]
    pair = (both[0], both[1]) if len(both) == 2 else None
    return with_retropulsion(narrowing, own.vertebra, own.wall, pair)
