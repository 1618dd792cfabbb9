from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertseg.data.balance import FindingsIndex, ShownShares, findings_ml, shown_odds
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.recipes import ExamineData, Loading
from vertseg.errors import ConfigError
from vertseg.labels import FINDINGS


def test_there_is_a_share_for_every_finding() -> None:
    assert tuple(f.name for f in fields(ShownShares)) == FINDINGS
    assert ShownShares(cement=0.25).wanted().tolist() == [0, 0, 0, 0.25]
    with pytest.raises(ConfigError, match="between 0 and 1"):
        ShownShares(cement=1.0).wanted()


def test_odds_of_one_rare_finding_are_those_of_the_arithmetic() -> None:
    """One sample in ten shows it, and half of the draws shall: 1/2 for it, 1/18 for each of the others."""
    shown = np.zeros((10, 4), bool)
    shown[3, 0] = True
    odds = shown_odds(shown, np.array([0.5, 0, 0, 0]))
    assert odds == pytest.approx(np.where(shown[:, 0], 1 / 2, 1 / 18))


@given(
    rates=st.tuples(*[st.floats(0.05, 0.5)] * 4),
    wanted=st.tuples(*[st.sampled_from([0.0, 0.1, 0.3])] * 4),
    seed=st.integers(0, 1000),
)
def test_every_share_is_reached_and_what_is_frequent_enough_stays_even(
    rates: tuple[float, ...], wanted: tuple[float, ...], seed: int
) -> None:
    shown = np.random.default_rng(seed).random((200, 4)) < np.array(rates)
    odds = shown_odds(shown, np.array(wanted))
    assert odds.sum() == pytest.approx(1)
    assert (odds > 0).all()
    for f in range(4):
        assert odds[shown[:, f]].sum() >= wanted[f] - 2e-4 or not shown[:, f].any()
    if all(shown[:, f].mean() >= wanted[f] for f in range(4)):
        assert odds == pytest.approx(1 / 200)


def test_shares_that_exclude_each_other_are_refused() -> None:
    shown = np.zeros((4, 4), bool)
    shown[:2, 0], shown[2:, 1] = True, True
    with pytest.raises(ConfigError, match="lytic_lesion, sclerotic_lesion"):
        shown_odds(shown, np.array([0.7, 0.7, 0, 0]))


def test_volumes_are_of_annotated_findings_only() -> None:
    findings = np.zeros((len(FINDINGS), 4, 4, 4), np.uint8)
    findings[0, :2] = 1
    findings[1, 0, 0] = 1
    known = np.array([True, False, True, True])
    assert findings_ml({"findings": findings, "known_findings": known}, 0.027).tolist() == [
        32 * 0.027,
        0,
        0,
        0,
    ]


def test_a_sample_is_measured_once(tmp_path: Path) -> None:
    measured: list[int] = []

    def measure(sample: int) -> np.ndarray:
        measured.append(sample)
        return np.full(len(FINDINGS), float(sample))

    path = tmp_path / "findings.npz"
    FindingsIndex(path).volumes([4, 5], measure)
    assert FindingsIndex(path).volumes([5, 6, 4], measure)[:, 0].tolist() == [5, 6, 4]
    assert measured == [4, 5, 6]


def test_rare_findings_come_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    data = ExamineData(
        6.0, (16, 16, 16), (0, 12), (900_000, 900_001),
        loading=Loading(batch_size=48, cache_dir=str(tmp_path)), shown=ShownShares(lytic_lesion=0.7),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="--prepare"):
        MixedDataModule(data, 2).setup()
    module = MixedDataModule(data, 2)
    assert module.phantoms is not None
    for seed in module.phantoms.missing():
        module.phantoms.render(seed)
    lytic = FINDINGS.index("lytic_lesion")

    def share(data: ExamineData) -> float:
        module = MixedDataModule(data, 2)
        module.setup()
        seen = [bool(f[lytic].any()) for batch in module.train_dataloader() for f in batch["findings"]]
        return float(np.mean(seen))

    assert share(data) == pytest.approx(0.7, abs=0.05)
    assert share(replace(data, shown=ShownShares())) < 0.6
    assert len(list(tmp_path.glob("findings-*.npz"))) == 1
