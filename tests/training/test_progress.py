import json
from pathlib import Path

import pytest

from tests.training.commands import train
from vertseg.training.progress import StepClock, progress_line, step_figures
from vertseg.training.record import better


def test_a_line_tells_loss_speed_and_the_time_left() -> None:
    clock = StepClock()
    clock.steps, clock.seconds = 20, 50.0
    line = progress_line("locate", 400, 4000, step_figures(0.8256, 2.5), clock)
    assert line == "locate 400/4000, loss 0.826, 0.40 steps/s, 2:30:00 left"


@pytest.mark.parametrize(
    ("name", "value", "than", "expected"),
    [
        ("val/loss", 1.0, 2.0, True),
        ("val/leak_brier_B", 0.2, 0.1, False),
        ("val/offset_error_mm", 3.0, 4.0, True),
        ("val/dice_body", 0.9, 0.8, True),
        ("val/level_accuracy", 0.5, 0.6, False),
    ],
)
def test_losses_and_errors_fall_all_others_rise(name: str, value: float, than: float, expected: bool) -> None:
    assert better(name, value, than) is expected


def test_the_summary_tells_what_was_done_and_keeps_the_best_figures(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["optimisation.max_steps=3", "run.validate_every=1", "run.progress=true"]
    assert train("examine", tmp_path, cache, *more) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("examine ")]
    assert [line.split(",")[0] for line in lines] == ["examine 1/3", "examine 2/3", "examine 3/3"]
    assert lines[-1].endswith("0:00:00 left")

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["steps"] == summary["steps_of_this_run"] == 3
    assert summary["global_batch"] == 2
    speed = 3 * 2 / summary["seconds_of_steps"]
    assert summary["samples_per_s"] == pytest.approx(speed, rel=0.1)
    assert summary["seconds"] >= summary["seconds_of_steps"] > 0
    assert summary["device"]["type"] == "cpu"
    assert summary["peak_memory_mb"]["main"] > 100
    assert len(summary["git_commit"]) == 40
    assert set(summary["best"]) == set(summary["metrics"])
    for name, best in summary["best"].items():
        assert 1 <= best["step"] <= 3
        assert not better(name, summary["metrics"][name], best["value"])
