"""Which case the n-th training sample shows and with which chances: a function of the seed and n alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

_ORDER: Final = 0
_CHANCES: Final = 1


class Draw(NamedTuple):
    """One training sample: the case's number in its dataset, and the seed of its random changes."""

    case: int
    seed: int


@dataclass(frozen=True)
class Share:
    """What one process of a training gets of every step's global batch.

    Attributes:
        batch_size: samples of this process a step.
        rank: number of this process.
        world_size: number of processes.
    """

    batch_size: int
    rank: int = 0
    world_size: int = 1

    def numbers(self, step: int) -> range:
        """Global sample numbers of this process in a step; all ranks' together are consecutive."""
        first = (step * self.world_size + self.rank) * self.batch_size
        return range(first, first + self.batch_size)


class StepSampler(Sampler[Draw]):
    """The draws of one process, step after step.

    Nothing is remembered: a training that is stopped at any step, and goes on with any number of workers or with
    other processes that share the same global batch, sees the samples that it would have seen.
    """

    def __init__(
        self,
        size: int,
        steps: range,
        share: Share,
        seed: int = 0,
        weights: Sequence[float] | NDArray[np.float64] | None = None,
    ) -> None:
        """Sampler over `size` cases.

        Args:
            size: number of cases.
            steps: steps to draw for; a resumed training starts this range where it stopped.
            share: what this process gets of a step.
            seed: of the order and the chances.
            weights: how often each case is drawn, relative to the others; None shuffles passes over all cases.
        """
        self._size = size
        self._steps = steps
        self._share = share
        self._seed = seed
        self._odds = None if weights is None else np.asarray(weights, float) / np.sum(weights)
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, np.int64))

    def __len__(self) -> int:
        """Samples from the first step on, those before a resumed one too, so that progress counts them."""
        return self._steps.stop * self._share.batch_size

    def __iter__(self) -> Iterator[Draw]:
        """Draws from the first step of the range on."""
        for step in self._steps:
            for number in self._share.numbers(step):
                yield self.draw(number)

    def draw(self, number: int) -> Draw:
        """The sample of a global number."""
        turn, place = divmod(number, self._size)
        if self._order[0] != turn:
            self._order = (turn, self._ordered(turn))
        chances = np.random.default_rng((self._seed, _CHANCES, number))
        return Draw(int(self._order[1][place]), int(chances.integers(2**31 - 1)))

    def _ordered(self, turn: int) -> NDArray[np.int64]:
        rng = np.random.default_rng((self._seed, _ORDER, turn))
        order = rng.permutation(self._size)
        if self._odds is None:
            return order
        # Systematic resampling: in each pass a case comes as often as expected, rounded down or up.
        ends = np.floor(np.cumsum(self._odds[order]) * self._size + rng.random())
        ends[-1] = self._size
        return rng.permutation(np.repeat(order, np.diff(ends, prepend=0).astype(np.int64)))
