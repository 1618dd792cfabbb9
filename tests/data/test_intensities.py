import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import (
    RandAdjustContrastd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)

from vertseg.data.datamodule import MixedDataModule
from vertseg.data.intensities import Intensities, changed, drawn_intensities, normalised, varied
from vertseg.data.recipes import ExamineData, LocateData
from vertseg.preprocess import normalise_hu, stack_examine

SHAPE = (1, 12, 12, 12)
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


def _hu(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(200, 300, SHAPE).astype(np.float32))


@pytest.mark.parametrize("device", DEVICES)
def test_a_samples_changes_depend_on_its_draw_and_not_on_its_batch(device: str) -> None:
    batch = torch.stack([_hu(i) for i in range(4)]).to(device)
    draws = torch.tensor([5, 6, 7, 8], device=device)
    whole = varied(batch, draws, 1.0)
    assert torch.equal(whole, varied(batch, draws, 1.0))
    torch.manual_seed(99)
    parts = torch.cat([varied(batch[i : i + 1], draws[i : i + 1], 1.0) for i in (3, 1)])
    assert torch.equal(parts, whole[[3, 1]])
    assert not torch.equal(whole, varied(batch, draws + 10, 1.0))


def test_validation_and_strength_zero_change_nothing() -> None:
    batch = torch.stack([_hu(), _hu()])
    assert torch.equal(varied(batch, torch.tensor([-1, -1]), 1.0), batch)
    assert torch.equal(varied(batch, torch.tensor([3, 4]), 0.0), batch)


def test_each_change_is_what_it_says() -> None:
    hu = _hu()
    assert torch.allclose(changed(hu, Intensities(gain=1.1, offset_hu=-7.0)), hu * 1.1 - 7.0)
    bent = changed(hu, Intensities(gamma=2.0))
    low, high = hu.min(), hu.max()
    assert torch.allclose(bent, ((hu - low) / (high - low)) ** 2 * (high - low) + low, atol=1e-2)
    flat = torch.zeros(1, 40, 40, 40)
    noisy = changed(flat, Intensities(noise_hu=20.0, noise_seed=3))
    # 64,000 voxels: the standard deviation of a standard deviation is 20 / sqrt(128,000) = 0.06.
    assert noisy.std().item() == pytest.approx(20.0, abs=0.3)
    assert noisy.mean().item() == pytest.approx(0.0, abs=0.4)
    point = torch.zeros(1, 15, 15, 15)
    point[0, 7, 7, 7] = 1.0
    spread = changed(point, Intensities(blur_vox=(0.7, 0.01, 0.5)))[0]
    along = [spread.sum([a for a in range(3) if a != axis]) for axis in range(3)]
    at = torch.arange(15.0) - 7
    # The kernel is the integral of the Gaussian over each voxel, which adds a voxel's own variance of 1/12.
    expected = [0.7**2 + 1 / 12, 0.0, 0.5**2 + 1 / 12]
    assert spread.sum().item() == pytest.approx(1.0, abs=1e-3)
    assert [float((p * at**2).sum()) for p in along] == pytest.approx(expected, abs=0.02)


def _reference() -> Compose:
    """The same changes by MONAI's transforms, which draw and work on the CPU, sample by sample."""
    gamma, blur = (1 / 1.15, 1.15), (0.01, 0.71)
    return Compose(
        [
            RandScaleIntensityd("hu", factors=0.08, prob=0.3),
            RandShiftIntensityd("hu", offsets=25.0, prob=0.3),
            RandAdjustContrastd("hu", gamma=gamma, prob=0.2),
            RandGaussianSmoothd("hu", blur, blur, blur, prob=0.15),
            RandGaussianNoised("hu", std=25.0, prob=0.3),
        ]
    )


def test_the_changes_have_the_statistics_of_monais_transforms() -> None:
    """Over 1,000 draws of one sample: shift, spread and roughness of what comes out, and how much stays as it is."""
    hu, count = _hu(), 1000
    own = varied(hu.expand(count, *SHAPE), torch.arange(count), 1.0)
    reference, theirs = _reference(), []
    for seed in range(count):
        reference.set_random_state(seed=seed)
        theirs.append(torch.tensor(np.asarray(reference({"hu": hu.numpy().copy()})["hu"])))
    ours, monai = (_figures(samples, hu) for samples in (own, torch.stack(theirs)))
    error = torch.sqrt((ours.var(0) + monai.var(0)) / count)
    assert ((ours.mean(0) - monai.mean(0)).abs() < 4 * error).all(), (ours.mean(0), monai.mean(0), error)
    assert (error < 0.02 * torch.tensor([150, 40000, 300, 90000, 420, 2])).all()


def _figures(samples: torch.Tensor, hu: torch.Tensor) -> torch.Tensor:
    """(N, 6) shift, its square, spread, its square, roughness, whether nothing changed."""
    change = (samples - hu).flatten(1)
    shift, spread = change.mean(1), samples.flatten(1).std(1)
    rough = samples.diff(dim=-1).flatten(1).std(1)
    same = (change.abs().amax(1) < 1e-3).float()
    return torch.stack([shift, shift**2, spread, spread**2, rough, same], 1)


@given(seed=st.integers(0, 2**31 - 2), strength=st.floats(0, 2))
def test_changes_keep_their_ranges(seed: int, strength: float) -> None:
    own = drawn_intensities(seed, strength)
    assert abs(own.gain - 1) <= 0.08 * strength + 1e-9
    assert abs(own.offset_hu) <= 25 * strength
    assert 1 / (1 + 0.15 * strength) - 1e-9 <= own.gamma <= 1 + 0.15 * strength + 1e-9
    assert 0 <= own.noise_hu <= 25 * strength
    assert own.blur_vox is None or all(0.01 <= s <= 0.01 + 0.7 * strength + 1e-9 for s in own.blur_vox)


@pytest.mark.parametrize("device", DEVICES)
def test_normalisation_on_a_device_is_the_shared_one(device: str) -> None:
    hu = np.concatenate([np.linspace(-1500, 3500, 5001), [-1000, -200, 300, 1000, 2000]]).astype(np.float32)
    assert normalised(torch.from_numpy(hu).to(device)).cpu().numpy() == pytest.approx(
        normalise_hu(hu), abs=1e-6
    )


def test_batches_become_what_inference_gives_the_networks() -> None:
    hu, marker = torch.stack([_hu(0), _hu(1)]), torch.rand(2, *SHAPE[1:], generator=torch.manual_seed(0))
    batch = {"hu": hu, "marker": marker, "draw": torch.tensor([-1, -1]), "plan": torch.zeros(2, 3)}
    done = MixedDataModule(ExamineData(), 1).on_after_batch_transfer(batch, 0)
    assert done.keys() == {"image", "plan"}
    for i in range(2):
        assert done["image"][i].numpy() == pytest.approx(
            stack_examine(hu[i, 0].numpy(), marker[i].numpy()), abs=1e-6
        )
    del batch["marker"]
    locate = MixedDataModule(LocateData(), 1).on_after_batch_transfer(batch, 0)["image"]
    assert locate.numpy() == pytest.approx(normalise_hu(hu.numpy()), abs=1e-6)
