"""Features of phantom crops for the leak head, made once per seed and network."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import vertseg.nets.leak_features
import vertseg.nets.leak_gaps
import vertseg.nets.leak_head
import vertseg.nets.leak_names
import vertseg.nets.pooling
from vertseg.data.cache import ArrayCache, Arrays, CachePlace, cache_key, render_examine, renderer_digest
from vertseg.data.transforms import unpack_examine
from vertseg.nets.meta import Meta
from vertseg.nets.unet import ExamineNet
from vertseg.preprocess import CropSpec, stack_examine
from vertseg.source_digest import source_digest

_SOURCES = (
    vertseg.nets.leak_features,
    vertseg.nets.leak_gaps,
    vertseg.nets.leak_head,
    vertseg.nets.leak_names,
    vertseg.nets.pooling,
)


class LeakFeatures:
    """`ExamineNet.heads(...)["leak_features"]` of `render_crop(seed)`, from disk or made now.

    Args:
        folder: cache folder, of crops too; None keeps nothing.
        net: in evaluation mode.
        meta: of the net's checkpoint.
    """

    def __init__(self, folder: Path | None, net: ExamineNet, meta: Meta) -> None:
        spec = CropSpec(meta.crop_shape or CropSpec().shape, meta.spacing_mm)
        self._net = net
        place = None if folder is None else CachePlace(folder)
        self.crops = ArrayCache(
            place, cache_key("examine", spec, spec.spacing_mm), lambda seed: render_examine(seed, spec)
        )
        text = repr((segmentation_digest(net), spec, renderer_digest(), _digest()))
        key = f"leak-features-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self._cache = ArrayCache(place, key, self._make)

    def missing(self, seeds: range) -> list[int]:
        """Seeds whose features have not been made yet."""
        return self._cache.missing(seeds)

    def get(self, seed: int) -> NDArray[np.float32]:
        """(D,) features of a seed."""
        return np.asarray(self._cache.get(seed)["features"])

    def of_hu(self, hu: NDArray[np.float32], marker: NDArray[np.float32]) -> NDArray[np.float32]:
        """(D,) features of a crop's HU and marker, each (X, Y, Z)."""
        image = torch.from_numpy(stack_examine(hu, marker))[None]
        with torch.inference_mode():
            found: NDArray[np.float32] = self._net.heads(image)["leak_features"][0].numpy()
        return found

    def _make(self, seed: int) -> Arrays:
        sample = unpack_examine(self.crops.get(seed))
        return {"features": self.of_hu(sample["hu"][0], sample["marker"])}


def segmentation_digest(net: ExamineNet) -> str:
    """Digest of all weights but the leak head's: features hang on those alone."""
    digest = hashlib.sha256()
    for name, tensor in sorted(net.state_dict().items()):
        if not name.startswith("leak."):
            digest.update(name.encode() + tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _digest() -> str:
    return source_digest(Path(str(module.__file__)) for module in _SOURCES)[:12]
