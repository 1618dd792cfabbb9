"""Runs that are killed lose the scan in hand and nothing else; nothing half-written counts as finished."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.inference.oracle import Oracle
from vertseg.cli import main
from vertseg.inference.folders.manifest import RECORD

ROOT = Path(__file__).parents[3]
NAMES = ("a", "b", "c")

_RUN = """
import sys, time
from tests.inference.oracle import Oracle
from vertseg.cli import main
from vertseg.inference import command
from vertseg.inference.folders import runner
from vertseg.report import writer

command.open_engine = lambda *_: Oracle(["L1"])

def stop():
    print("now", flush=True)
    time.sleep(120)

{patch}
main(sys.argv[1:])
"""
_SECOND = """
original, calls = {place}, [0]
def replaced(*arguments):
    calls[0] += 1
    if calls[0] == 2:
        stop()
    return original(*arguments)
{place} = replaced
"""
WRITING = _SECOND.format(place="writer.draw_preview")
RECORDING = _SECOND.format(place="runner.record_finished")
REPLACING = """
import os
original = os.replace
def replaced(source, target):
    if str(target).endswith("/b/tissue.nii.gz"):
        stop()
    original(source, target)
os.replace = replaced
"""


@pytest.fixture
def scans(tmp_path: Path, put: Callable[..., Path]) -> Path:
    """Three scans."""
    for shift, name in enumerate(NAMES):
        put(tmp_path / "set" / f"{name}.nii.gz", float(shift))
    return tmp_path / "set"


def arguments(scans: Path, *options: str) -> list[str]:
    return ["predict", str(scans), "--output", str(scans.parent / "out"), *options]


def started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def kill_when_it_stops(patch: str, scans: Path, *options: str) -> None:
    process = started(["-c", _RUN.format(patch=patch), *arguments(scans, *options)])
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "now"
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()


def record_times(output: Path) -> dict[str, int]:
    return {p.parent.name: p.stat().st_mtime_ns for p in output.glob(f"*/{RECORD}")}


@pytest.mark.parametrize("patch", [WRITING, RECORDING], ids=["while writing", "before the record"])
def test_killed_in_the_middle_of_the_second_scan(patch: str, scans: Path, oracles: list[Oracle]) -> None:
    kill_when_it_stops(patch, scans)
    output = scans.parent / "out"
    before = record_times(output)
    assert list(before) == ["a"]
    assert main(arguments(scans)) == 0
    after = record_times(output)
    assert sorted(after) == list(NAMES) and after["a"] == before["a"]
    assert oracles[0].examined == 2
    assert sorted(p.name for p in output.iterdir()) == [*NAMES, "summary.csv"]


def test_killed_while_replacing_an_older_result(scans: Path, oracles: list[Oracle]) -> None:
    assert main(arguments(scans)) == 0
    output = scans.parent / "out"
    assert oracles[0].examined == 3
    kill_when_it_stops(REPLACING, scans, "--cement-ml", "4")
    # The second scan's folder holds files of both runs, and belongs to neither.
    assert sorted(record_times(output)) == ["a", "c"]
    assert not (output / "b" / "report.json").exists() and (output / "b" / "levels.nii.gz").exists()
    assert main(arguments(scans)) == 0
    assert oracles[1].examined == 2
    assert sorted(record_times(output)) == list(NAMES)
    assert not list(output.rglob(".*"))


def assert_whole(output: Path) -> None:
    """Every recorded result can be read to its last byte and is of the sizes recorded."""
    for path in output.rglob(RECORD):
        record = json.loads(path.read_text())
        assert {"levels.nii.gz", "tissue.nii.gz", "vertebrae.csv", "report.json"} <= set(record["outputs"])
        for name, size in record["outputs"].items():
            assert (path.parent / name).stat().st_size == size
            if name.endswith(".nii.gz"):
                assert np.asarray(nib.load(path.parent / name).dataobj).max() >= 0


@pytest.mark.slow
def test_killed_again_and_again_at_any_time(scans: Path, put: Callable[..., Path], weights: Path) -> None:
    for shift in range(3, 8):
        put(scans / "more" / f"s{shift}.nii.gz", float(shift))
    output = scans.parent / "out"
    options = ("--checkpoint-dir", str(weights), "--device", "cpu", "--threads", "1", "--quiet")
    command = ["-m", "vertseg", *arguments(scans, *options)]
    draw = random.Random(7)
    finished: dict[Path, int] = {}
    for _ in range(4):
        process = started(command)
        # From when the first new scan is finished, at any moment of the next two or so.
        until = time.monotonic() + 600
        while time.monotonic() < until and process.poll() is None:
            if len(list(output.rglob(RECORD))) > len(finished):
                time.sleep(draw.uniform(0, 2))
                break
            time.sleep(0.02)
        process.kill()
        process.communicate()
        assert_whole(output)
        now = {p: p.stat().st_mtime_ns for p in output.rglob(RECORD)}
        # What was finished once is not done again.
        assert finished.items() <= now.items() and len(now) > len(finished)
        finished = now
        if len(now) == 8:
            break
    last = started(command)
    assert last.communicate(timeout=900) == ("", "") and last.returncode == 0
    assert_whole(output)
    now = {p: p.stat().st_mtime_ns for p in output.rglob(RECORD)}
    assert finished.items() <= now.items() and len(now) == 8
    assert not list(output.rglob(".*"))


def children(pid: int) -> list[int]:
    """Processes of a run, its resource tracker left out."""
    found = [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [n for n in found if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " not in stat.read_text()


@pytest.mark.slow
def test_a_killed_worker_costs_no_scan_and_a_killed_parent_leaves_no_worker(
    scans: Path, put: Callable[..., Path], weights: Path
) -> None:
    for shift in range(3, 10):
        put(scans / f"s{shift}.nii.gz", float(shift))
    output = scans.parent / "out"
    options = ("--checkpoint-dir", str(weights), "--device", "cpu", "--threads", "2", "--workers", "2")
    process = started(["-m", "vertseg", *arguments(scans, *options)])
    assert process.stderr is not None
    assert "1/10 " in process.stderr.readline()
    os.kill(children(process.pid)[0], signal.SIGKILL)
    process.stderr.readline()
    workers = children(process.pid)
    process.kill()
    process.communicate()
    until = time.monotonic() + 60
    while any(map(is_alive, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(is_alive, workers))
    assert_whole(output)
    before = record_times(output)
    assert 2 <= len(before) < 10
    again = started(["-m", "vertseg", *arguments(scans, *options)])
    assert again.stderr is not None
    again.stderr.readline()
    os.kill(children(again.pid)[0], signal.SIGKILL)
    shown, _ = again.communicate(timeout=900)
    assert again.returncode == 0
    line = re.search(r"(\d+) done, (\d+) skipped, 0 bad", shown)
    assert line and (int(line[1]) + int(line[2]), int(line[2])) == (10, len(before))
    after = record_times(output)
    assert before.items() <= after.items() and len(after) == 10
    assert_whole(output)
    assert not list(output.rglob(".*"))
