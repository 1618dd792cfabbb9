"""Pictures of corridors on the CT."""

from collections.abc import Sequence

from vertseg.planning.corridor import Corridor
from vertseg.planning.upright import UprightVertebra


def draw_corridors(vertebra: UprightVertebra, corridors: Sequence[Corridor]) -> bytes:
    """PNG bytes: the best corridor of each side on an axial cut and on a cut along it, with canal and cannula.

    Args:
        vertebra: in its own frame.
        corridors: of this vertebra, as `plan_corridors` gives them.
    """
    raise NotImplementedError
