"""What counts as finished."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from vertseg.errors import CheckpointError
from vertseg.inference.folders import manifest
from vertseg.inference.folders.discovery import FoundScan
from vertseg.inference.folders.manifest import (
    RECORD,
    Finished,
    finished,
    record_finished,
    result_key,
    state_of,
)
from vertseg.inference.options import Plan, PredictOptions

FOUND = Finished("ab" * 32, "state")


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """Something like a result."""
    folder = tmp_path / "out" / "scan"
    folder.mkdir(parents=True)
    for name in ("levels.nii.gz", "vertebrae.csv", "report.json"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def scan(tmp_path: Path) -> FoundScan:
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"voxels")
    return FoundScan("scan", path, (path,))


def test_a_recorded_result_is_finished_for_its_key_only(result: Path, scan: FoundScan, weights: Path) -> None:
    options = PredictOptions(checkpoint_dir=weights)
    key = result_key(options)
    assert finished(result, key) is None
    record_finished(result, scan, FOUND, key)
    assert finished(result, key) == FOUND
    for other in (
        PredictOptions(checkpoint_dir=weights, levels=(20,)),
        PredictOptions(checkpoint_dir=weights, plan=Plan(volume_ml=3.0)),
        PredictOptions(checkpoint_dir=weights, plan=Plan(viscosity="low")),
        PredictOptions(checkpoint_dir=weights, plan=Plan(approach="bipedicular")),
        PredictOptions(checkpoint_dir=weights, engine="torch"),
        PredictOptions(checkpoint_dir=weights, fusion=0.1),
        PredictOptions(checkpoint_dir=weights, finding_thresholds=(0.7, 0.4, 0.8, 0.7)),
        PredictOptions(),
    ):
        assert finished(result, result_key(other)) is None, other


def test_what_does_not_change_a_result_is_not_in_the_key(weights: Path) -> None:
    one = PredictOptions(checkpoint_dir=weights, levels=(21, 20))
    other = dataclasses.replace(one, levels=(20, 21), threads=3, batch=1, device="cpu")
    assert result_key(one) == result_key(other)


def test_another_version_or_other_checkpoints_are_another_key(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = result_key(PredictOptions(checkpoint_dir=weights))
    moved = tmp_path / "moved"
    shutil.copytree(weights, moved)
    assert result_key(PredictOptions(checkpoint_dir=moved)) == key
    described = json.loads((moved / "examine.json").read_text())
    (moved / "examine.json").write_text(json.dumps({**described, "spacing_mm": 2.0}))
    assert result_key(PredictOptions(checkpoint_dir=moved)) != key
    monkeypatch.setattr(manifest, "__version__", "99.0")
    assert result_key(PredictOptions(checkpoint_dir=weights)) != key
    with pytest.raises(CheckpointError, match="does not exist"):
        result_key(PredictOptions(checkpoint_dir=tmp_path))


def _cut(folder: Path) -> None:
    (folder / "levels.nii.gz").write_text("level")


def _other_report(folder: Path) -> None:
    (folder / "report.json").write_text("report.JSON")


def _half_a_record(folder: Path) -> None:
    text = (folder / RECORD).read_text()
    (folder / RECORD).write_text(text[: len(text) // 2])


@pytest.mark.parametrize(
    "spoil",
    [
        _cut, _other_report, _half_a_record, lambda f: (f / "report.json").unlink(),
        lambda f: (f / "vertebrae.csv").unlink(), lambda f: (f / RECORD).write_text("[]"),
        lambda f: (f / RECORD).write_text("{}"), lambda f: (f / RECORD).unlink(), lambda f: shutil.rmtree(f),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_not_finished(spoil, result: Path, scan: FoundScan, weights: Path) -> None:
    key = result_key(PredictOptions(checkpoint_dir=weights))
    record_finished(result, scan, FOUND, key)
    assert finished(result, key) == FOUND
    spoil(result)
    assert finished(result, key) is None


def test_notes_added_later_change_nothing(result: Path, scan: FoundScan, weights: Path) -> None:
    key = result_key(PredictOptions(checkpoint_dir=weights))
    record_finished(result, scan, FOUND, key)
    (result / "notes.txt").write_text("seen by the reader")
    assert finished(result, key) == FOUND


def test_the_state_changes_with_every_touch_of_a_file(tmp_path: Path) -> None:
    files = tuple(tmp_path / "series" / name for name in ("a", "b"))
    (tmp_path / "series").mkdir()
    for path in files:
        path.write_bytes(b"slice")
    scan = FoundScan("series", tmp_path / "series", files, "1.2.3")
    state = state_of(scan)
    assert state_of(dataclasses.replace(scan, files=files[::-1])) == state
    assert state_of(dataclasses.replace(scan, files=files[:1])) != state
    times = files[0].stat()
    files[0].write_bytes(b"SLICE")
    # Another content of the same length, with the time of writing put back.
    os.utime(files[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert state_of(scan) != state
    files[1].unlink()
    with pytest.raises(FileNotFoundError):
        state_of(scan)
