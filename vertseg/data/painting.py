"""Which phantom seeds are painted on real label maps instead of drawn, and how they are rendered."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np

from vertseg.data.cache import Arrays, PhantomSpec, crop_arrays, scan_arrays
from vertseg.errors import ConfigError, InputError
from vertseg.io.nifti import file_sha256
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy, read_labelled_anatomy
from vertseg.phantom.painting.scan import paint_scan, painted_crop
from vertseg.preprocess import CropSpec

_STREAM: Final = 53
"""Keeps the draws of this module apart from those of the phantoms of the same seed."""


@dataclass(frozen=True)
class LabelMap:
    """A real label map to paint on: its NIfTI file, and what its numbers mean."""

    path: str
    scheme: Literal["totalsegmentator", "verse"] = "totalsegmentator"


@dataclass(frozen=True)
class PaintingSpec:
    """How many of the training phantoms are painted on real label maps; none without a map.

    Attributes:
        maps: of which one is drawn for each painted seed.
        share: of the training seeds that are painted (0 to 1); validation seeds never are, so that runs with
            and without maps are validated on the same scans.
        deform: strength of the random deformation that makes a new patient of a map; 1 is usual.
    """

    maps: tuple[LabelMap, ...] = ()
    share: float = 0.0
    deform: float = 1.0


class Painter:
    """Draws for a seed whether it is painted and on which map, and paints it.

    The same seeds are painted for the same share, and still for a larger one, so that caches stay of use.

    Raises:
        ConfigError: a share without a map, or a number that cannot be.
    """

    def __init__(self, spec: PaintingSpec, cache_dir: Path | None) -> None:
        if not 0 <= spec.share <= 1 or not 0 <= spec.deform <= 2:
            raise ConfigError("data.painting needs a share between 0 and 1 and a deform between 0 and 2.")
        if spec.share > 0 and not spec.maps:
            raise ConfigError("data.painting has a share but no maps; name one, or set the share to 0.")
        self._spec = spec
        self._cache_dir = cache_dir
        self._anatomies: dict[int, LabelledAnatomy] = {}

    def paints(self, seed: int) -> bool:
        """Whether this seed is painted."""
        return bool(np.random.default_rng([seed, _STREAM]).random() < self._spec.share)

    @cached_property
    def digest(self) -> str:
        """Digest of the maps' content, the deformation and this module's draws: names caches of painted seeds.

        Raises:
            InputError: a map cannot be read.
        """
        content = [(_content(Path(m.path)), m.scheme) for m in self._spec.maps]
        text = repr((content, self._spec.deform, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def scan(self, seed: int, spacing_mm: float, spec: PhantomSpec) -> Arrays:
        """One painted scan, as `data.cache.render_locate`."""
        scan = paint_scan(self._anatomy(seed), seed, spec.scan_config(), self._spec.deform)
        return scan_arrays(scan, spacing_mm)

    def crop(self, seed: int, spec: CropSpec) -> Arrays:
        """One painted vertebra's crop, as `data.cache.render_examine`; its level is drawn from the map's."""
        anatomy = self._anatomy(seed)
        levels = anatomy.levels
        level = levels[int(np.random.default_rng([seed, _STREAM, 2]).integers(len(levels)))]
        return crop_arrays(painted_crop(anatomy, level, seed, spec.shape, spec.spacing_mm))

    def _anatomy(self, seed: int) -> LabelledAnatomy:
        """The map of a seed, read when first needed: its distances take a minute the first time."""
        number = int(np.random.default_rng([seed, _STREAM, 1]).integers(len(self._spec.maps)))
        if number not in self._anatomies:
            chosen = self._spec.maps[number]
            self._anatomies[number] = read_labelled_anatomy(Path(chosen.path), chosen.scheme, self._cache_dir)
        return self._anatomies[number]


def _content(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(f"The label map {path} cannot be read: {error.strerror}.") from None
