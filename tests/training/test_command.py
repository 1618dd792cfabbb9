import json
from pathlib import Path

import pytest
import torch

from tests.training.commands import column, train
from vertseg.nets.checkpoint import load_checkpoint
from vertseg.nets.meta import load_meta


@pytest.mark.parametrize(
    ("task", "metrics"),
    [
        ("locate", ["val/dice_body", "val/dice_vertebra", "val/level_accuracy", "val/offset_error_mm"]),
        ("examine", ["val/dice_body", "val/dice_lytic_lesion", "val/leak_brier_B"]),
    ],
)
def test_a_tiny_training_exports_resumes_and_tells_what_it_did(
    task: str, metrics: list[str], tmp_path: Path, cache: Path
) -> None:
    assert train(task, tmp_path, cache) == 0
    path = tmp_path / f"{task}.safetensors"
    first, meta = load_checkpoint(path)
    assert meta.steps == 4
    assert meta.task == task
    assert set(metrics) <= set(meta.metrics)
    assert column(tmp_path, metrics[0])
    assert len(column(tmp_path, "train/loss")) == 4
    assert (tmp_path / "validation.png").stat().st_size > 5000
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["steps"] == 4
    assert summary["recipe"]["optimisation"]["max_steps"] == 4

    assert train(task, tmp_path, cache, "optimisation.max_steps=6", "--resume", "last") == 0
    second, meta = load_checkpoint(path)
    assert meta.steps == 6
    assert len(column(tmp_path, "train/loss")) == 6  # two steps more, not six
    changed = [not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert any(changed)


def test_learning_lowers_the_loss(tmp_path: Path, cache: Path) -> None:
    more = ["optimisation.max_steps=30", "optimisation.learning_rate=0.01", "run.validate_every=30"]
    assert train("examine", tmp_path, cache, *more) == 0
    loss = column(tmp_path, "train/loss")
    assert sum(loss[-5:]) < 0.9 * sum(loss[:5])


def test_time_ends_a_training_that_still_exports(tmp_path: Path, cache: Path) -> None:
    more = ["optimisation.max_steps=100000", "optimisation.max_time='00:00:00:02'", "run.log_every=1000"]
    assert train("locate", tmp_path, cache, *more, "run.validate_every=5000", "run.export_every=5000") == 0
    assert 1 <= load_meta(tmp_path / "locate.safetensors").steps < 100_000
    assert (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["run.treads=2"], "nearest known key is 'run.threads'"),
        (["--resume", "last"], "There is no resume file"),
        (["data.validation_seeds=[0, 1]"], "overlap"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_2(
    more: list[str], sentence: str, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("locate", tmp_path / "none", cache, *more) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("vertseg train: ")
    assert error.count("\n") == 1


def test_a_resume_file_of_another_network_is_refused(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("locate", tmp_path, cache) == 0
    assert train("locate", tmp_path, cache, "filters=[8, 8, 16]", "--resume", "last") == 2
    assert "of another network" in capsys.readouterr().err


def test_fine_tuning_starts_from_a_checkpoint_and_remembers_what_it_saw(tmp_path: Path, cache: Path) -> None:
    assert train("examine", tmp_path / "first", cache) == 0
    first, ancestor = load_checkpoint(tmp_path / "first" / "examine.safetensors")
    still = ["optimisation.max_steps=1", "optimisation.learning_rate=0.0", "run.validate_every=1"]
    assert train("examine", tmp_path / "second", cache, *still, "--from", str(tmp_path / "first")) == 0
    second, meta = load_checkpoint(tmp_path / "second" / "examine.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert meta.trained_on["initial"]["sha256"] == ancestor.sha256
    assert meta.trained_on["initial"]["trained_on"] == ancestor.trained_on


def test_fine_tuning_of_another_network_is_refused(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("locate", tmp_path / "first", cache) == 0
    more = ["filters=[8, 8, 16]", "--from", str(tmp_path / "first" / "locate.safetensors")]
    assert train("locate", tmp_path / "second", cache, *more) == 2
    assert "is a locate network with filters [8, 8, 8]" in capsys.readouterr().err


def test_prepare_fills_the_cache_only(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert train("examine", tmp_path / "run", cache, "--prepare") == 0
    assert len(list(cache.rglob("*.npz"))) == 5
    assert not (tmp_path / "run").exists()
