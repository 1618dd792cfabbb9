import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.commands import arguments, start, train

STEPS = 9
MORE = [
    "run.deterministic=true", f"optimisation.max_steps={STEPS}", "run.export_every=2", "run.validate_every=4",
    "run.progress=true", "run.log_every=1", "data.loading.workers=2", "data.loading.batch_size=1",
]  # fmt: skip


def _signalled(output: Path, cache: Path, after: int, number: signal.Signals, *more: str) -> int:
    """Exit status of a training in a process of its own that gets a signal once a step is told."""
    process = start([], *arguments("examine", output, cache, *MORE, *more))
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith(f"examine {after}/"):
            process.send_signal(number)
            break
    process.stderr.read()
    status = process.wait(timeout=600)
    assert told[-1].startswith(f"examine {after}/"), "".join(told)
    return status


def _state(output: Path) -> dict[str, Any]:
    content = torch.load(output / "last.ckpt", weights_only=True)
    return {name: content[name] for name in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks")}


@pytest.mark.usefixtures("deterministic")
def test_killed_and_stopped_and_resumed_equals_uninterrupted_bit_for_bit(tmp_path: Path, cache: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train("examine", whole, cache, *MORE) == 0

    # Killed between two exports: what came after step 2 is lost and done again.
    assert _signalled(parts, cache, 3, signal.SIGKILL) == -signal.SIGKILL
    assert json.loads((parts / "examine.json").read_text())["steps"] == 2
    # Stopped cleanly, at a step that none would export.
    assert _signalled(parts, cache, 5, signal.SIGTERM, "--resume", "last") == 143
    summary = json.loads((parts / "summary.json").read_text())
    assert summary["stopped_by"] == "SIGTERM"
    assert 5 <= summary["steps"] < STEPS
    assert json.loads((parts / "examine.json").read_text())["steps"] == summary["steps"]
    assert train("examine", parts, cache, *MORE, "--resume", "last") == 0

    assert (parts / "examine.safetensors").read_bytes() == (whole / "examine.safetensors").read_bytes()
    torch.testing.assert_close(_state(parts), _state(whole), rtol=0, atol=0)
    assert json.loads((parts / "examine.json").read_text()) == json.loads(
        (whole / "examine.json").read_text()
    )
