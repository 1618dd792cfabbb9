from pathlib import Path

import numpy as np
import pytest

from vertseg.data.cache import ArrayCache, PhantomSpec, cache_key, render_examine, render_locate
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.recipes import LocateData
from vertseg.errors import ConfigError
from vertseg.labels import FINDINGS, LocateClass
from vertseg.preprocess import CropSpec


def test_a_seed_is_made_once_and_comes_back(tmp_path: Path) -> None:
    made: list[int] = []

    def make(seed: int) -> dict[str, np.ndarray]:
        made.append(seed)
        return {"hu": np.full((2, 3), seed, np.int16)}

    cache = ArrayCache(tmp_path, "key", make)
    assert not any(cache.holds(seed) for seed in range(3))
    for _ in range(2):
        assert cache.get(1)["hu"].tolist() == [[1, 1, 1]] * 2
    assert made == [1]
    assert [seed for seed in range(3) if cache.holds(seed)] == [1]
    assert [p.name for p in (tmp_path / "key").iterdir()] == ["0000001.npz"]


def test_a_broken_rendering_leaves_no_file(tmp_path: Path) -> None:
    def make(seed: int) -> dict[str, np.ndarray]:
        raise RuntimeError("no memory")

    cache = ArrayCache(tmp_path, "key", make)
    with pytest.raises(RuntimeError):
        cache.get(0)
    assert not list((tmp_path / "key").iterdir())


def test_other_settings_have_another_cache() -> None:
    keys = {
        cache_key("locate", PhantomSpec(), 3.0),
        cache_key("locate", PhantomSpec(), 2.0),
        cache_key("locate", PhantomSpec("lumbar"), 3.0),
        cache_key("examine", CropSpec(), 1.5),
    }
    assert len(keys) == 4


def test_phantom_centres_lie_inside_their_bodies() -> None:
    arrays = render_locate(0, 6.0, PhantomSpec("lumbar", (6.0, 6.0, 6.0), pathology=0.0))
    known = np.flatnonzero(~np.isnan(arrays["centres_vox"][:, 0]))
    inside = 0
    for number in known:
        voxel = tuple(np.rint(arrays["centres_vox"][number]).astype(int))
        if all(0 <= v < n for v, n in zip(voxel, arrays["level"].shape, strict=True)):
            assert arrays["level"][voxel] == number
            assert arrays["tissue"][voxel] == LocateClass.BODY
            inside += 1
    assert inside >= 4


def test_a_rendered_crop_has_its_body_in_front_of_the_middle() -> None:
    spec = CropSpec((32, 32, 32), 3.0)
    arrays = render_examine(0, spec)
    body = np.argwhere(arrays["tissue"] == 1).mean(axis=0)
    assert body == pytest.approx([15.5, 15.5 + 18 / 3, 15.5], abs=3)
    assert arrays["findings"].size == len(FINDINGS) * 32**3 // 8
    assert arrays["marker"][arrays["tissue"] == 1].mean() > 128


def test_overlapping_seeds_are_refused() -> None:
    with pytest.raises(ConfigError, match="overlap"):
        MixedDataModule(LocateData(train_seeds=(0, 10), validation_seeds=(9, 12)), 1)
