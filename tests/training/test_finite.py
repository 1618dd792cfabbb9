import json
import math
from collections.abc import Container
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.commands import column, train
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.meta import load_meta
from vertseg.training.examine import ExamineModule
from vertseg.training.finite import PATIENCE


def _spoil(steps: Container[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses that are no number in some steps."""
    plain = ExamineModule.losses

    def losses(self: ExamineModule, batch: Any) -> dict[str, Tensor]:
        terms = plain(self, batch)
        if self.global_step + 1 in steps:
            terms["tissue"] = terms["tissue"] * math.nan
        return terms

    monkeypatch.setattr(ExamineModule, "losses", losses)


@pytest.mark.filterwarnings("ignore:Step .* was left out")
def test_a_step_without_a_number_is_left_out_and_told(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil({2}, monkeypatch)
    assert train("examine", tmp_path, cache, "optimisation.max_steps=3", "run.validate_every=3") == 0
    loss = column(tmp_path, "train/loss")
    assert [math.isnan(value) for value in loss] == [False, True, False]
    net, _ = load_checkpoint(tmp_path / "examine.safetensors")
    assert all(bool(torch.isfinite(p).all()) for p in net.parameters())
    assert json.loads((tmp_path / "summary.json").read_text())["steps_left_out"] == 1


@pytest.mark.filterwarnings("ignore:Step .* was left out")
def test_a_left_out_step_changes_neither_weights_nor_moments(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["run.validate_every=100", "run.export_every=1", "optimisation.max_steps=3"]
    _spoil({2, 3}, monkeypatch)
    assert train("examine", tmp_path / "one", cache, *more, "optimisation.max_steps=1") == 0
    assert train("examine", tmp_path / "three", cache, *more) == 0
    one, three = (torch.load(tmp_path / n / "last.ckpt", weights_only=True) for n in ("one", "three"))
    torch.testing.assert_close(three["state_dict"], one["state_dict"], rtol=0, atol=0)
    moments = [content["optimizer_states"][0]["state"] for content in (one, three)]
    torch.testing.assert_close(moments[1], moments[0], rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:Step .* was left out")
def test_too_many_in_a_row_end_in_a_sentence_and_the_older_export_stays(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _spoil(range(3, 1000), monkeypatch)
    more = ["optimisation.max_steps=50", "run.validate_every=50", "run.export_every=2", "run.log_every=50"]
    more += ["optimisation.ema_decay=0.5"]
    assert train("examine", tmp_path, cache, *more) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"not finite in {PATIENCE} steps in a row, the last one {2 + PATIENCE}" in error
    assert load_meta(tmp_path / "examine.safetensors").steps == 2 + PATIENCE - 2
    net, _ = load_checkpoint(tmp_path / "examine.safetensors")
    assert all(bool(torch.isfinite(p).all()) for p in net.parameters())
    assert not (tmp_path / "summary.json").exists()
