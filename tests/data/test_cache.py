import os
from pathlib import Path

import numpy as np
import pytest

from vertseg.data.cache import ArrayCache, CachePlace, PhantomSpec, cache_key, render_examine, render_locate
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.recipes import Loading, LocateData
from vertseg.errors import ConfigError
from vertseg.labels import FINDINGS, LocateClass
from vertseg.preprocess import CropSpec


def test_a_seed_is_made_once_and_comes_back(tmp_path: Path) -> None:
    made: list[int] = []

    def make(seed: int) -> dict[str, np.ndarray]:
        made.append(seed)
        return {"hu": np.full((2, 3), seed, np.int16)}

    cache = ArrayCache(CachePlace(tmp_path), "key", make)
    assert not any(cache.holds(seed) for seed in range(3))
    for _ in range(2):
        assert cache.get(1)["hu"].tolist() == [[1, 1, 1]] * 2
    assert made == [1]
    assert [seed for seed in range(3) if cache.holds(seed)] == [1]
    assert [p.name for p in (tmp_path / "key").iterdir()] == ["0000001.npz"]


def test_a_broken_rendering_leaves_no_file(tmp_path: Path) -> None:
    def make(seed: int) -> dict[str, np.ndarray]:
        raise RuntimeError("no memory")

    cache = ArrayCache(CachePlace(tmp_path), "key", make)
    with pytest.raises(RuntimeError):
        cache.get(0)
    assert not list((tmp_path / "key").iterdir())


def test_beyond_its_bound_a_cache_throws_out_what_was_used_longest_ago(tmp_path: Path) -> None:
    """A file of 100,000 voxels takes some 200 kB; a bound of 1 MB holds four, and nine tenths of it are kept."""

    def make(seed: int) -> dict[str, np.ndarray]:
        return {"hu": np.full(100_000, seed, np.int16)}

    place = CachePlace(tmp_path, largest_gb=1e-3)
    first, second = (ArrayCache(place, key, make) for key in ("locate-a", "examine-b"))
    for number, cache in enumerate((first, first, second, second)):
        cache.get(number)
        os.utime(tmp_path / cache.key / f"{number:07d}.npz", ns=(number, number))
    assert first.get(0)["hu"][0] == 0  # used again, so no longer the oldest
    first.get(4)
    assert [n for n in range(5) if first.holds(n) or second.holds(n)] == [0, 2, 3, 4]
    total = sum(p.stat().st_size for p in tmp_path.rglob("*.npz"))
    assert total <= 0.9e6
    assert first.get(1)["hu"][0] == 1
    assert not list(tmp_path.rglob(".partial*"))


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


def test_a_bound_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="cache_gb is more than 0"):
        MixedDataModule(LocateData(loading=Loading(cache_gb=0.0)), 1)


def test_overlapping_seeds_are_refused() -> None:
    with pytest.raises(ConfigError, match="overlap"):
        MixedDataModule(LocateData(train_seeds=(0, 10), validation_seeds=(9, 12)), 1)
