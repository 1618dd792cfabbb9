import json
import signal
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.training.commands import column, train
from vertseg.nets.meta import load_meta
from vertseg.training.examine import ExamineModule


def _raise_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal in the middle of a step."""
    plain = ExamineModule.losses

    def losses(self: ExamineModule, batch: Any) -> dict[str, Tensor]:
        if self.global_step + 1 == step:
            signal.raise_signal(number)
        return plain(self, batch)

    monkeypatch.setattr(ExamineModule, "losses", losses)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_after_the_step_with_everything_written(
    number: signal.Signals, status: int, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(number)
    _raise_at(2, number, monkeypatch)
    assert train("examine", tmp_path, cache, "run.export_every=100", "run.validate_every=100") == status
    assert load_meta(tmp_path / "examine.safetensors").steps == 2
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["steps"], summary["stopped_by"]) == (2, signal.Signals(number).name)
    assert signal.getsignal(number) == before


def test_slurms_warning_writes_and_requeues_and_auto_goes_on(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    scontrol = tools / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tools}/asked\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    for name, value in {
        "SLURM_JOB_ID": "42", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NODELIST": "here",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        _raise_at(3, signal.SIGUSR1, patch)
        assert train("examine", run, cache, "run.validate_every=100", "--resume", "auto") == 138
    assert (tools / "asked").read_text() == "requeue 42\n"
    assert load_meta(run / "examine.safetensors").steps == 3
    assert train("examine", run, cache, "run.validate_every=100", "--resume", "auto") == 0
    assert len(column(run, "train/loss")) == 4
    assert (tools / "asked").read_text() == "requeue 42\n"
