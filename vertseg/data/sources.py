"""Where samples come from: phantoms and labelled sets, mixed in one dataset by weight."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vertseg.data.cases import Part

PARTS: Final[tuple[Part, ...]] = ("training", "validation")


@dataclass(frozen=True, eq=False)
class Source:
    """Samples of one kind.

    Attributes:
        name: in logs, such as "phantoms", or the folder of a labelled set's index.
        size: number of samples.
        load: sample by number, with its own groups and known findings; nothing is varied yet.
        weight: how often it is drawn, relative to the other sources, whatever its size.
        odds: (size,) how often each sample is drawn, relative to the others of the source; None: all alike.
    """

    name: str
    size: int
    load: Callable[[int], Mapping[Any, Any]]
    weight: float = 1.0
    odds: NDArray[np.float64] | None = None


class Mix:
    """Sources one after the other, as one numbered set of samples.

    Each sample carries the number of its source under "source".
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self._ends = np.cumsum([source.size for source in sources])

    def __len__(self) -> int:
        """Number of samples of all sources."""
        return int(self._ends[-1])

    def load(self, index: int) -> dict[Any, Any]:
        """Sample by its number in the mix."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        source = self.sources[number]
        first = int(self._ends[number]) - source.size
        return {**source.load(index - first), "source": np.int64(number)}

    def odds(self) -> NDArray[np.float64] | None:
        """(len,) chance of each sample at a draw; None where all are alike."""
        if len(self.sources) == 1 and self.sources[0].odds is None:
            return None
        total = sum(source.weight for source in self.sources)
        parts = []
        for source in self.sources:
            own = np.ones(source.size) if source.odds is None else source.odds
            parts.append(own / own.sum() * (source.weight / total))
        return np.concatenate(parts)
