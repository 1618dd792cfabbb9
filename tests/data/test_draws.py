import numpy as np
import pytest
from monai.transforms.compose import Compose
from monai.transforms.transform import RandomizableTransform

from vertseg.data.datasets import DrawnDataset
from vertseg.data.draws import Draw, Share, StepSampler

SEED = 11


def _draws(size: int, steps: range, share: Share, seed: int = SEED) -> list[Draw]:
    return list(StepSampler(size, steps, share, seed))


def test_every_pass_shows_each_case_once_in_an_order_of_its_own() -> None:
    indices = [d.case for d in _draws(5, range(15), Share(1))]
    passes = [indices[i : i + 5] for i in (0, 5, 10)]
    assert all(sorted(p) == [0, 1, 2, 3, 4] for p in passes)
    assert len({tuple(p) for p in passes}) > 1


def test_no_two_samples_are_varied_alike_and_the_seed_decides() -> None:
    seeds = [d.seed for d in _draws(3, range(1000), Share(1))]
    assert len(set(seeds)) == 1000
    assert _draws(3, range(50), Share(2)) == _draws(3, range(50), Share(2))
    assert _draws(3, range(50), Share(2)) != _draws(3, range(50), Share(2), seed=SEED + 1)


@pytest.mark.parametrize("stop", [0, 1, 7, 19])
def test_what_is_left_after_a_stop_is_what_would_have_come(stop: int) -> None:
    whole = _draws(7, range(20), Share(3))
    assert _draws(7, range(stop, 20), Share(3)) == whole[3 * stop :]


def test_processes_share_the_global_batch_of_one_process() -> None:
    single = _draws(7, range(10), Share(4))
    ranks = [_draws(7, range(10), Share(2, rank, 2)) for rank in (0, 1)]
    shared = [d for s in range(10) for rank in ranks for d in rank[2 * s : 2 * s + 2]]
    assert shared == single


def test_length_counts_from_the_first_step() -> None:
    assert len(StepSampler(7, range(5, 10), Share(2), SEED)) == 20


def test_weights_set_how_often_a_case_comes() -> None:
    sampler = StepSampler(4, range(4000), Share(1), SEED, weights=[0, 1, 1, 2])
    counts = np.bincount([d.case for d in sampler], minlength=4)
    assert counts[0] == 0
    # Three standard deviations of a binomial count are about 0.02 of all.
    assert counts[1:] / 4000 == pytest.approx([0.25, 0.25, 0.5], abs=0.025)


class _Chance(RandomizableTransform):
    def __call__(self, data: dict[str, int]) -> dict[str, float]:
        return {"case": data["case"], "chance": self.R.uniform()}


def test_a_draw_is_the_same_whatever_was_drawn_before() -> None:
    dataset = DrawnDataset(3, lambda i: {"case": i}, Compose([_Chance()]), ("case", "chance"))
    first = dataset[Draw(1, 77)]
    dataset[Draw(2, 5)]
    again, other, plain = dataset[Draw(1, 77)], dataset[Draw(1, 78)], dataset[1]
    assert again["chance"] == first["chance"] != other["chance"]
    assert first["case"] == 1
    assert plain["chance"] == dataset[Draw(1, 1)]["chance"]
