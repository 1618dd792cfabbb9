"""Sliding windows are those of MONAI: same places, same weights, same means; those about the spine follow it."""

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers.utils import sliding_window_inference
from numpy.typing import NDArray

from vertseg.inference import locate
from vertseg.inference.window_mean import WindowMean
from vertseg.inference.windows import window_boxes, window_weights
from vertseg.labels import N_LEVELS, LocateClass
from vertseg.preprocess import locate_input
from vertseg.volume import Volume


class Smooth:
    """Stands in for the locate network: each voxel's outputs depend on its whole window, as instance norm makes them."""

    locate_multiple = 16

    def locate(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        hu = image[0, 0]
        scores = np.stack([np.sin((c + 1) * (hu - hu.mean())) for c in range(5)])
        tissue = np.exp(scores) / np.exp(scores).sum(axis=0)
        level = np.stack([np.cos(c * hu) ** 2 + hu.std() for c in range(29)])
        return {"tissue": tissue[None], "level": level[None], "offset_mm": np.stack([hu, -hu, 2 * hu])[None]}


@pytest.mark.parametrize("shape", [(80, 80, 96), (137, 100, 275), (81, 160, 97), (200, 80, 145)])
def test_windows_lie_where_monai_puts_them(shape: tuple[int, int, int]) -> None:
    window = (80, 80, 96)
    steps = [w if n == w else int(w * 0.75) for n, w in zip(shape, window, strict=True)]
    assert window_boxes(shape, window, 0.25) == dense_patch_slices(shape, window, steps)


@pytest.mark.parametrize("window", [(80, 80, 96), (16, 48, 32)])
def test_weights_are_monais(window: tuple[int, int, int]) -> None:
    wanted = compute_importance_map(window, mode="gaussian").numpy()
    np.testing.assert_allclose(window_weights(window), wanted, rtol=1e-5)


def test_weights_of_a_voxel_sum_to_one() -> None:
    shape, window = (100, 90, 130), (80, 80, 96)
    mean = WindowMean(shape, window)
    sizes = {"tissue": len(LocateClass), "level": N_LEVELS, "offset_mm": 3}
    ones = {name: np.ones((1, n, *window), dtype=np.float32) for name, n in sizes.items()}
    for box in window_boxes(shape, window, 0.25):
        mean.add(ones, box)
    for values in mean.outputs().values():
        np.testing.assert_allclose(values, 1, atol=1e-6)


def _monai(image: NDArray[np.float32], window: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    def run(x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(a) for name, a in Smooth().locate(x.numpy()).items()}

    out = sliding_window_inference(
        torch.from_numpy(image)[None, None], window, 1, run, overlap=0.25, mode="gaussian", cval=-1.0
    )
    return {name: value[0].numpy() for name, value in out.items()}  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", [(90, 48, 130), (96, 96, 64), (32, 33, 40)])
def test_means_over_windows_are_monais(shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    image = rng.uniform(-1, 2, shape).astype(np.float32)
    window = tuple(locate._window_size(n, w, 16) for n, w in zip(shape, locate.WINDOW, strict=True))
    window = tuple(min(w, n) for w, n in zip(window, shape, strict=True))
    wanted = _monai(image, window)
    mean = WindowMean(shape, window)
    for box in window_boxes(shape, window, 0.25):
        mean.add(Smooth().locate(image[box][None, None]), box)
    got = mean.outputs()
    np.testing.assert_allclose(got["tissue"], wanted["tissue"], atol=1e-5)
    seen = wanted["tissue"][LocateClass.BODY] + wanted["tissue"][LocateClass.POSTERIOR] >= 0.5
    assert 0.05 < seen.mean() < 0.95
    for name in ("level", "offset_mm"):
        # What a window gives less than 0.01 vertebra is left out; this stand-in gives 0.05 and more.
        np.testing.assert_allclose(got[name][:, seen], wanted[name][:, seen], atol=1e-4, err_msg=name)


def test_what_no_window_saw_is_background() -> None:
    mean = WindowMean((64, 32, 32), (32, 32, 32))
    mean.add(
        Smooth().locate(np.ones((1, 1, 32, 32, 32), np.float32)), window_boxes((32,) * 3, (32,) * 3, 0.25)[0]
    )
    tissue = mean.outputs()["tissue"]
    np.testing.assert_allclose(tissue.sum(axis=0), 1, atol=1e-6)
    assert (tissue[LocateClass.BACKGROUND, 32:] == 1).all()


class Bright:
    """Takes the brightest voxels for vertebra, and remembers how many windows it saw."""

    locate_multiple = 16
    locate_spacing_mm = 3.0

    def __init__(self) -> None:
        self.windows = 0

    def locate(self, image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        self.windows += 1
        spine = (image[0, 0] > 1.8).astype(np.float32)
        tissue = np.stack([1 - spine, spine, *[0 * spine] * 3])
        return {"tissue": tissue[None], "level": np.zeros((1, 29, *spine.shape), np.float32) + spine,
                "offset_mm": np.zeros((1, 3, *spine.shape), np.float32)}  # fmt: skip


def column_image(x_at: NDArray[np.float64]) -> NDArray[np.float32]:
    """An image (160, 120, Z) with a bright column of 12 voxels at `x_at`, and ribs of less bright bone on both sides."""
    image = np.full((160, 120, len(x_at)), -0.4, np.float32)
    image[20:140:6, 40:44] = 1.0
    for z, x in enumerate(x_at.astype(int)):
        image[x - 6 : x + 6, 54:66, z] = 1.9
    return image


def _found(x_at: NDArray[np.float64]) -> tuple[int, float]:
    """Windows that were run, and the share of the column that was found."""
    image, engine = column_image(x_at), Bright()
    out = locate._over_windows(image, engine, lambda stage, done, total: None)  # type: ignore[arg-type]
    column = image > 1.8
    return engine.windows, float((out["tissue"][LocateClass.BODY] > 0.5)[column].mean())


def test_a_straight_spine_takes_one_window_for_each_slab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "FOLLOW_SPINE", True)
    windows, found = _found(np.full(240, 80.0))
    assert found == 1.0 and windows == 3


def test_windows_follow_a_bent_spine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "FOLLOW_SPINE", True)
    windows, found = _found(80 + 45 * np.sin(np.linspace(0, np.pi, 240)))
    assert found == 1.0 and windows < len(window_boxes((160, 120, 240), (80, 80, 96), 0.25))


def test_a_spine_out_of_the_first_window_is_found_by_sliding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "FOLLOW_SPINE", True)
    _, found = _found(np.full(96, 14.0))
    assert found == 1.0


def test_the_patients_box_leaves_out_air_and_no_voxel_of_the_patient(rng: np.random.Generator) -> None:
    hu = np.full((200, 180, 90), -1000, np.int16)
    hu[61:150, 33:121] = 40
    volume = Volume(hu, np.diag([0.8, 0.8, 2.0, 1.0]))
    box = locate.patient_box(volume)
    low, high = volume.grid.voxel(box.affine[:3, 3]), volume.grid.voxel(box.world(np.array(box.shape) - 1))
    assert (low <= [61, 33, 0]).all() and (high >= [149, 120, 89]).all()
    assert np.prod(box.shape) < 0.5 * hu.size


def test_the_patients_part_of_the_locate_grid_holds_the_same_values(rng: np.random.Generator) -> None:
    hu = rng.normal(0, 300, (60, 50, 40)).astype(np.float32)
    volume = Volume(hu, np.diag([1.1, 1.3, 2.0, 1.0]))
    part = volume.cropped((20, 8, 5), (48, 41, 33)).grid
    whole, within = locate_input(volume, 3.0), locate_input(volume, 3.0, part)
    start = np.rint(whole.grid.voxel(within.grid.world((0, 0, 0)))).astype(int)
    x, y, z = (slice(a, a + n) for a, n in zip(start, within.array.shape, strict=True))
    np.testing.assert_allclose(within.array, whole.array[x, y, z], atol=1e-5)
    corners = part.corners_mm()
    reach = within.grid.corners_mm()
    assert (reach.min(axis=0) <= corners.min(axis=0)).all() and (
        reach.max(axis=0) >= corners.max(axis=0)
    ).all()
