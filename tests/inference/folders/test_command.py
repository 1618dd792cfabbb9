"""`vertseg predict` over a folder, in this process."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.inference.oracle import Oracle
from vertseg.cli import main
from vertseg.inference.folders import runner
from vertseg.inference.folders.manifest import RECORD
from vertseg.report.table import COLUMNS


def records(output: Path) -> dict[str, str]:
    """Scan -> its record."""
    return {json.loads(p.read_text())["scan"]: p.read_text() for p in output.rglob(RECORD)}


def rows(output: Path) -> list[dict[str, str]]:
    with (output / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def tree(tmp_path: Path, put: Callable[..., Path]) -> Path:
    """Three scans and one that cannot be read."""
    root = tmp_path / "set"
    put(root / "p2" / "ct.nii.gz", 1.0)
    put(root / "p1" / "before" / "ct.nii", 2.0)
    put(root / "p3.nii.gz", 3.0)
    (root / "p2" / "bad.nii.gz").write_bytes(b"no image")
    return root


def predict(root: Path, *options: str) -> int:
    return main(["predict", str(root), "--output", str(root.parent / "out"), *options])


def test_every_scan_under_its_path_and_the_bad_one_at_the_end(
    tree: Path, oracles: list[Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(tree) == 2
    output = tree.parent / "out"
    assert sorted(records(output)) == ["p1/before/ct", "p2/ct", "p3"]
    for name in ("p1/before/ct", "p2/ct", "p3"):
        report = json.loads((output / name / "report.json").read_text())
        record = json.loads((output / name / RECORD).read_text())
        assert report["input"]["sha256"] == record["input"]["sha256"]
        assert report["seconds"]["read"] > 0
        assert set(record["outputs"]) == {p.name for p in (output / name).iterdir()} - {RECORD}
    assert not (output / "p2" / "bad").exists()
    shown = capsys.readouterr()
    assert "3 done, 0 skipped, 1 bad; " in shown.out and " s a scan, " in shown.out
    last = shown.err.strip().splitlines()[-1]
    assert last.startswith("vertseg: bad: p2/bad: ") and "is not a NIfTI image" in last
    table = rows(output)
    assert [row["scan"] for row in table] == ["p1/before/ct", "p2/ct", "p3"]
    assert tuple(table[0]) == ("scan", *COLUMNS)
    # Each scan was moved along x by its own distance.
    x = [float(row["centroid_x_mm"]) for row in table]
    np.testing.assert_allclose(np.diff(x), [-1.0, 2.0], atol=0.2)
    assert len(oracles) == 1


def test_what_is_finished_is_skipped_without_an_engine(
    tree: Path, oracles: list[Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "p2" / "bad.nii.gz").unlink()
    assert predict(tree) == 0
    before = records(tree.parent / "out")
    summary = (tree.parent / "out" / "summary.csv").read_bytes()
    capsys.readouterr()
    assert predict(tree) == 0
    assert "0 done, 3 skipped, 0 bad; " in capsys.readouterr().out
    assert len(oracles) == 1
    assert records(tree.parent / "out") == before
    assert (tree.parent / "out" / "summary.csv").read_bytes() == summary


def test_other_content_is_done_again_and_equal_content_is_not(
    tree: Path, put: Callable[..., Path], oracles: list[Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "p2" / "bad.nii.gz").unlink()
    predict(tree)
    os.utime(tree / "p3.nii.gz", (1, 1))
    put(tree / "p2" / "ct.nii.gz", 9.0)
    capsys.readouterr()
    assert predict(tree) == 0
    shown = capsys.readouterr()
    assert "1 done, 2 skipped, 0 bad; " in shown.out
    assert "p3: unchanged, skipped" in shown.err
    assert oracles[1].examined == 1
    capsys.readouterr()
    predict(tree)
    # The touched scan's new state was recorded: it is not read again.
    assert "p3" not in capsys.readouterr().err and len(oracles) == 2


def test_other_options_do_all_again(tree: Path, oracles: list[Oracle]) -> None:
    predict(tree)
    predict(tree, "--cement-ml", "4")
    assert [o.examined for o in oracles] == [3, 3]
    predict(tree, "--cement-ml", "4")
    assert [o.examined for o in oracles] == [3, 3, 0]


def test_shards_do_all_and_nothing_twice(tree: Path, oracles: list[Oracle]) -> None:
    codes = [predict(tree, "--shard", f"{i}/3") for i in (1, 2, 3)]
    # By name: p1/before/ct, p2/bad, p2/ct, p3.
    assert codes == [0, 2, 0]
    assert [o.examined for o in oracles] == [2, 0, 1]
    assert [row["scan"] for row in rows(tree.parent / "out")] == ["p1/before/ct", "p2/ct", "p3"]


def test_only_two_scans_are_in_memory_and_the_next_is_read_meanwhile(
    tree: Path, oracles: list[Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    (tree / "p2" / "bad.nii.gz").unlink()
    events: list[str] = []
    reads = {name: threading.Event() for name in ("ct.nii", "ct.nii.gz", "p3.nii.gz")}
    order = iter([["ct.nii.gz"], ["p3.nii.gz"], []])
    read_scan, whole = runner.read_scan, runner.predict

    def read(path: Path, *rest: object, **more: object) -> object:
        events.append(f"read {path.name}")
        scan = read_scan(path, *rest, **more)
        reads[path.name].set()
        return scan

    def compute(scan: object, **rest: object) -> object:
        # The next one is read while this one computes, and the one after it is not.
        for name in next(order):
            assert reads[name].wait(30)
        events.append("computed")
        return whole(scan, **rest)

    monkeypatch.setattr(runner, "read_scan", read)
    monkeypatch.setattr(runner, "predict", compute)
    assert predict(tree, "--quiet") == 0
    assert events == [
        "read ct.nii", "read ct.nii.gz", "computed", "read p3.nii.gz", "computed", "computed",
    ]  # fmt: skip


def test_an_error_that_nobody_foresaw_is_that_scans_own(
    tree: Path, oracles: list[Oracle], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = runner.predict

    def compute(scan: object, **rest: object) -> object:
        if scan.path.name == "p3.nii.gz":
            raise IndexError("index 7 is out of bounds")
        return whole(scan, **rest)

    monkeypatch.setattr(runner, "predict", compute)
    assert predict(tree, "--quiet") == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("vertseg: bad: ") == 2 and "Traceback" not in shown.err
    assert "bad: p3: " in shown.err and "IndexError" in shown.err and "index 7" in shown.err
    assert sorted(records(tree.parent / "out")) == ["p1/before/ct", "p2/ct"]


def test_a_full_disk_ends_the_run_in_one_sentence(
    tree: Path, oracles: list[Oracle], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vertseg.report import writer

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "draw_preview", full)
    assert predict(tree, "--quiet") == 2
    assert "disk is full" in capsys.readouterr().err
    assert oracles[0].examined == 1
    assert [p for p in (tree.parent / "out").rglob("*") if p.is_file()] == []


def test_one_series_is_one_scan_with_its_results_in_the_output_itself(
    tmp_path: Path, small_scan, oracles: list[Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    scan = small_scan(shape=(26, 24, 10))
    scan.write_dicom(tmp_path / "set" / "study" / "ct")
    assert predict(tmp_path / "set", "--quiet") == 0
    assert (tmp_path / "out" / "report.json").exists()
    assert not list((tmp_path / "out").rglob(RECORD))
    # A second series makes it a folder of scans.
    scan.write_dicom(tmp_path / "set" / "study" / "other", series=3)
    assert predict(tmp_path / "set", "--quiet") == 0
    assert sorted(records(tmp_path / "out")) == ["study/ct", "study/other"]
    # One of them is chosen by its number.
    assert (
        main(
            ["predict", str(tmp_path / "set"), "--series", "3", "--output", str(tmp_path / "one"), "--quiet"]
        )
        == 0
    )
    assert (tmp_path / "one" / "report.json").exists()
    capsys.readouterr()
    assert predict(tmp_path / "set", "--series", "17") == 2
    assert "has no series '17'; it holds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--shard", "0/3"), "--shard"), (("--shard", "4/3"), "--shard"), (("--shard", "half"), "--shard"),
        (("--workers", "0"), "--workers"), (("--match", "*.mha"), "holds no scan that is named '*.mha'"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(
    options: tuple[str, ...], word: str, tree: Path, oracles: list[Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(tree, *options) == 2
    assert word in capsys.readouterr().err
    assert not (tree.parent / "out").exists() and oracles == []


def test_a_file_is_no_folder_of_scans(
    tree: Path, oracles: list[Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(tree / "p3.nii.gz", "--shard", "1/2") == 2
    assert "folder of scans" in capsys.readouterr().err
