"""Set A tells vertebrae only, set B their parts too, and A's images look like none of B's: A learns the parts."""

from functools import cache

import numpy as np
import pytest
import torch
from monai.transforms.compose import Compose
from torch.utils.data import DataLoader, default_collate

from vertseg.data.cache import Arrays, PhantomSpec, render_locate
from vertseg.data.datamodule import LOCATE_KEYS
from vertseg.data.datasets import DrawnDataset
from vertseg.data.draws import Share, StepSampler
from vertseg.data.intensities import normalised
from vertseg.data.sources import Mix, Source
from vertseg.data.transforms import LocateAugmentation, LocatePatch
from vertseg.labels import LocateClass
from vertseg.nets.losses import LocateWeights
from vertseg.training.locate import LocateModule
from vertseg.training.recipes import LocateRecipe

MM = 6.0
SHAPE = (16, 16, 24)
PHANTOM = PhantomSpec("lumbar", (MM, MM, MM), pathology=0.0, appearance=0.5)
BODY, POSTERIOR = LocateClass.BODY, LocateClass.POSTERIOR
ALL, VERTEBRA_ONLY = np.arange(5), np.array([0, BODY, BODY, 0, 0])
CASES, STEPS, BATCH = 3, 120, 4
HELD_OUT = range(900_000, 900_003)


@cache
def _scan(seed: int) -> Arrays:
    return render_locate(seed, MM, PHANTOM)


def _sample(seed: int, negative: bool, parts: bool) -> Arrays:
    """A scan, as A has it a negative (bone darkest of all), and without parts all bone of a vertebra as body."""
    scan = _scan(seed)
    hu = np.clip(scan["hu"].astype(np.float32), -200, 800)
    tissue = scan["tissue"].copy()
    if not parts:
        tissue[tissue == POSTERIOR] = BODY
        tissue[tissue > BODY] = 0
    groups = ALL if parts else VERTEBRA_ONLY
    return {**scan, "hu": 300 - hu if negative else hu, "tissue": tissue, "groups": groups}


def _set_a(groups: np.ndarray = VERTEBRA_ONLY) -> Source:
    return Source("a", CASES, lambda i: {**_sample(i, negative=True, parts=False), "groups": groups})


def _set_b() -> Source:
    return Source("b", CASES, lambda i: _sample(1000 + i, negative=False, parts=True))


def _dataset(mix: Mix, augmentation: LocateAugmentation | None) -> DrawnDataset:
    return DrawnDataset(len(mix), mix.load, Compose([LocatePatch(SHAPE, augmentation)]), LOCATE_KEYS)


def _batch(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**batch, "image": normalised(batch["hu"])}


def _module() -> LocateModule:
    torch.manual_seed(0)
    weights = LocateWeights(level=0.0, offset=0.0)
    return LocateModule(LocateRecipe(filters=(8, 8, 16), weights=weights))


def _trained(*sources: Source) -> LocateModule:
    module, mix = _module(), Mix(sources)
    dataset = _dataset(mix, LocateAugmentation(rotation_deg=10, scale=(0.9, 1.1)))
    sampler = StepSampler(len(mix), range(STEPS), Share(BATCH), 0, mix.odds())
    optimiser = torch.optim.AdamW(module.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 8e-3, total_steps=STEPS)
    for batch in DataLoader(dataset, batch_size=BATCH, sampler=sampler):
        loss = torch.stack(list(module.losses(_batch(batch)).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return module.eval()


def _dice_on_a(module: LocateModule) -> tuple[float, float]:
    """Dice of bodies and of posterior elements over held-out images of A's look, against the parts A never told."""
    truth = Source("a", len(HELD_OUT), lambda i: _sample(HELD_OUT[i], negative=True, parts=True))
    dataset = _dataset(Mix([truth]), None)
    batch = _batch(default_collate([dataset[i] for i in range(len(dataset))]))
    with torch.no_grad():
        found = module.net.heads(batch["image"])["tissue"].argmax(1)
    wanted = batch["tissue"]
    both = [
        2 * ((found == c) & (wanted == c)).sum() / ((found == c).sum() + (wanted == c).sum()) for c in (1, 2)
    ]
    return float(both[0]), float(both[1])


@pytest.mark.slow
def test_a_set_with_parts_teaches_them_on_the_images_of_a_set_without() -> None:
    """Controls: B alone never saw such images; A's vertebrae taken for bodies unlearn the posterior elements."""
    body, posterior = _dice_on_a(_trained(_set_a(), _set_b()))
    assert body > 0.45
    assert posterior > 0.4
    assert max(_dice_on_a(_trained(_set_b()))) < 0.1
    body_only, lost = _dice_on_a(_trained(_set_a(groups=ALL), _set_b()))
    assert body_only > 0.45
    assert lost < 0.1


def test_a_batch_of_both_sets_pulls_at_the_parts_on_b_only() -> None:
    """Before any training: on A the loss does not change when probability moves between the parts, on B it does."""
    mix = Mix([_set_a(), _set_b()])
    dataset = _dataset(mix, None)
    batch = _batch(default_collate([dataset[0], dataset[CASES]]))
    module = _module()
    heads = {name: head.detach() for name, head in module.net.heads(batch["image"]).items()}
    logits = heads["tissue"].requires_grad_(True)
    loss = module._terms({**heads, "tissue": logits}, batch)["tissue"]
    (gradient,) = torch.autograd.grad(loss, logits)
    pull = gradient / logits.detach().softmax(1)
    between = (pull[:, BODY] - pull[:, POSTERIOR]).abs().amax((1, 2, 3))
    toward_vertebra = pull[:, BODY].abs().amax((1, 2, 3))
    assert (toward_vertebra > 0).all()
    assert between[0] < 1e-4 * toward_vertebra[0]
    assert between[1] > 0.1 * toward_vertebra[1]
