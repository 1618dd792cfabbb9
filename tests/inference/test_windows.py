"""Sliding windows are those of MONAI: same places, same weights, same means."""

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers.utils import sliding_window_inference
from numpy.typing import NDArray

from vertseg.inference import locate
from vertseg.inference.windows import total_weights, window_boxes, window_weights
from vertseg.labels import LocateClass


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
    boxes, weights = window_boxes((100, 90, 130), (80, 80, 96), 0.25), window_weights((80, 80, 96))
    total = total_weights((100, 90, 130), boxes, weights)
    sums = np.zeros((100, 90, 130))
    for box in boxes:
        sums[box] += weights / total[box]
    np.testing.assert_allclose(sums, 1, atol=1e-6)


def _monai(image: NDArray[np.float32], window: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    def run(x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(a) for name, a in Smooth().locate(x.numpy()).items()}

    out = sliding_window_inference(
        torch.from_numpy(image)[None, None], window, 1, run, overlap=0.25, mode="gaussian", cval=-1.0
    )
    return {name: value[0].numpy() for name, value in out.items()}  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", [(90, 40, 130), (96, 96, 64), (30, 33, 40)])
def test_means_over_windows_are_monais(shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    image = rng.uniform(-1, 2, shape).astype(np.float32)
    window = tuple(locate._window_size(n, w, 16) for n, w in zip(shape, locate.WINDOW, strict=True))
    wanted = _monai(image, window)
    got = locate._over_windows(image, Smooth(), lambda stage, done, total: None)  # type: ignore[arg-type]
    np.testing.assert_allclose(got["tissue"], wanted["tissue"], atol=1e-5)
    seen = wanted["tissue"][LocateClass.BODY] + wanted["tissue"][LocateClass.POSTERIOR] >= 0.5
    assert 0.05 < seen.mean() < 0.95
    for name in ("level", "offset_mm"):
        # What a window gives less than 0.01 vertebra is left out; this stand-in gives 0.05 and more.
        np.testing.assert_allclose(got[name][:, seen], wanted[name][:, seen], atol=1e-4, err_msg=name)
