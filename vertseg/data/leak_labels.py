"""Drawn leaks of crops' vertebrae, simulated once per seed and kept on disk."""

import hashlib
from pathlib import Path

import vertseg.cement
from vertseg.data.cache import ArrayCache, Arrays, CachePlace, renderer_digest
from vertseg.phantom.leak_draws import LeakDraws, leak_draws
from vertseg.source_digest import source_digest


class LeakLabels:
    """`phantom.leak_draws` by seed, from disk or simulated now.

    Args:
        folder: cache folder; None keeps nothing.
        count: injections of each vertebra.
        one_plan: see `leak_draws`.
    """

    def __init__(self, folder: Path | None, count: int, one_plan: bool = False) -> None:
        text = repr((count, one_plan, renderer_digest(), simulator_digest()))
        key = f"leaks-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

        def make(seed: int) -> Arrays:
            draws = leak_draws(seed, count, one_plan)
            return {"plan": draws.plan, "onset_ml": draws.onset_ml}

        self._cache = ArrayCache(None if folder is None else CachePlace(folder), key, make)

    def missing(self, seeds: range) -> list[int]:
        """Seeds that have not been simulated yet."""
        return self._cache.missing(seeds)

    def get(self, seed: int) -> LeakDraws:
        """Draws of the vertebra of `render_crop(seed)`."""
        return LeakDraws(**self._cache.get(seed))


def simulator_digest() -> str:
    """Digest of the simulator's source: leaks of an older one are never taken for new ones."""
    return source_digest(sorted(Path(str(vertseg.cement.__file__)).parent.glob("*.py")))[:12]
