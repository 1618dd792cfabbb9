"""Numbers of a run over many scans."""

import pytest

from vertseg.inference.folders.runner import Outcome
from vertseg.inference.folders.screen import Screen, duration, end_line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (725, "12 min 5 s"), (12_000, "3 h 20 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_time_left_is_the_mean_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    with Screen(4, quiet=False, clock=lambda: now[0]) as screen:
        now[0] = 130.0
        screen.show(Outcome("a", "done", 20.0, 5, warnings=("It is dark.",)))
        assert screen.seconds_left() == 90.0
        now[0] = 140.0
        screen.show(Outcome("b", "bad", sentence="It is bad."))
        assert screen.seconds_left() == 40.0
    assert capsys.readouterr().err.splitlines() == [
        "vertseg: warning: a: It is dark.", "1/4 a: 5 vertebrae, 20.0 s; 1 min 30 s left", "2/4 b: bad; 40 s left",
    ]  # fmt: skip


def test_the_last_line_counts() -> None:
    ended = [Outcome("a", "done"), Outcome("b", "done"), Outcome("c", "bad"), Outcome("d", "skipped")]
    assert end_line(ended, 3, 29.0) == "2 done, 4 skipped, 1 bad; 14.5 s a scan, 29 s in all"
    assert end_line([], 3, 1.0) == "0 done, 3 skipped, 0 bad; 1 s in all"
