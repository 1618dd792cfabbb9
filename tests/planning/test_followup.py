"""`vertseg followup` on drawn vertebrae: files, leak table, refusals."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.planning.drawn_cement import Drawn, ball, draw, tube
from vertseg.cli import main
from vertseg.data.leaks import read_leak_table
from vertseg.errors import ConfigError
from vertseg.io.nifti import file_sha256, write_nifti
from vertseg.labels import level_number
from vertseg.planning.followup_command import injected_ml, parse_volumes
from vertseg.planning.followup_files import COLUMNS
from vertseg.planning.followup_table import add_outcomes
from vertseg.report.writer import write_outputs
from vertseg.volume import Volume

DEPOSIT = ball((0, 2, 0), 9.0)
DISC = tube(1.8, (5, 0, 6), (5, 0, 16.5), (14, 3, 17))


def stored(drawn: Drawn, folder: Path, name: str) -> Path:
    """The drawn scan as a file, and its findings as the folder of a prediction."""
    scan = folder / f"{name}.nii.gz"
    write_nifti(scan, Volume(np.rint(drawn.scan.array).astype(np.int16), drawn.scan.affine))
    provenance = replace(drawn.findings.provenance, scan=str(scan), scan_sha256=file_sha256(scan))
    return write_outputs(replace(drawn.findings, provenance=provenance), drawn.scan, folder / f"{name}_found")


@pytest.fixture
def post(tmp_path: Path) -> Path:
    return stored(draw(DEPOSIT, DISC), tmp_path, "post")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["followup", *map(str, arguments)]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and text.startswith("vertseg: ")
    return text


def test_cement_is_told_without_a_scan_before(post: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["followup", str(post), "--output", str(out), "--quiet"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["followup.csv", "followup.json", "followup.png"]
    told = json.loads((out / "followup.json").read_text())
    (vertebra,) = told["vertebrae"]
    assert told["pre"] is None and vertebra["level"] == "L2" and vertebra["risk"] is None
    assert vertebra["cement"]["leak"] == {"B": False, "S": False, "C": False, "D": True, "any": True}
    assert vertebra["cement"]["leaks"][0]["compartment"] == "disc_above"
    (row,) = csv.DictReader((out / "followup.csv").open())
    assert tuple(row) == COLUMNS
    assert float(row["cement_ml"]) == vertebra["cement"]["cement_ml"] and row["leak_D"] == "1"
    assert row["risk_any"] == ""


@pytest.mark.slow
def test_foreseen_and_actual_leak_stand_side_by_side(post: Path, tmp_path: Path) -> None:
    pytest.importorskip("SimpleITK", reason="needs the extra 'followup'")
    pre = stored(draw(), tmp_path, "pre")
    out, table = tmp_path / "out", tmp_path / "leaks.csv"
    options = ["--leak-table", str(table), "--case", "p1", "--volume", "4", "--viscosity", "high"]
    assert main(["followup", str(pre), str(post), "--output", str(out), "--quiet", *options]) == 0
    (vertebra,) = json.loads((out / "followup.json").read_text())["vertebrae"]
    assert vertebra["risk"]["probability"]["D"] == pytest.approx(0.4)
    assert vertebra["registration"]["good"] and vertebra["registration"]["shift_mm"] < 1.0
    injection = read_leak_table(table, {"p1"})["p1", level_number("L2")]
    assert injection.leak.tolist() == [0, 0, 0, 1]
    assert injection.plan[:2].tolist() == [4.0, 2.0] and np.isnan(injection.plan[2])


def test_outcomes_grow_a_table_and_none_is_there_twice(
    post: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "leaks.csv"
    table.write_text("case,level,leak_B,leak_S,leak_C,leak_D\np0,L1,1,0,,0\n")
    first = [post, "--output", tmp_path / "a", "--leak-table", table, "--case", "p1"]
    assert main(["followup", *map(str, first), "--quiet"]) == 0
    known = read_leak_table(table, {"p0", "p1"})
    assert set(known) == {("p0", 20), ("p1", 21)} and known["p1", 21].leak.tolist() == [0, 0, 0, 1]
    before = table.read_bytes()
    text = refused(capsys, post, "--output", tmp_path / "b", "--leak-table", table, "--case", "p1")
    assert "--replace" in text and table.read_bytes() == before and not (tmp_path / "b").exists()
    again = [*first, "--replace", "--volume", "L2=3.5"]
    assert main(["followup", *map(str, again), "--quiet"]) == 0
    changed = read_leak_table(table, {"p0", "p1"})
    assert set(changed) == set(known) and changed["p1", 21].plan[0] == 3.5


def test_refusals_write_nothing(post: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, table = tmp_path / "out", tmp_path / "leaks.csv"
    assert "does not exist" in refused(capsys, tmp_path / "none.nii.gz", "--output", out)
    assert "one or two scans" in refused(capsys, post, post, post, "--output", out)
    assert "belong together" in refused(capsys, post, "--output", out, "--leak-table", table)
    assert "needs a name" in refused(capsys, post, "--output", out, "--leak-table", table, "--case", " ")
    assert "No cement was found in L1" in refused(capsys, post, "--output", out, "--levels", "L1")
    assert "--volume 'much'" in refused(capsys, post, "--output", out, "--volume", "much")
    assert "0 to 20" in refused(capsys, post, "--output", out, "--volume", "50")
    assert "names L3" in refused(capsys, post, "--output", out, "--volume", "L3=2")
    table.write_text("who,what\na,b\n")
    assert "columns" in refused(capsys, post, "--output", out, "--leak-table", table, "--case", "p1")
    assert table.read_text() == "who,what\na,b\n"
    assert not out.exists()


def test_changed_scan_of_a_prediction_is_refused(
    post: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "post.nii.gz"
    drawn = draw(DEPOSIT)
    write_nifti(scan, Volume(drawn.scan.array.astype(np.int16), drawn.scan.affine))
    assert "contents differ" in refused(capsys, post, "--output", tmp_path / "out")
    scan.unlink()
    assert "not there any more" in refused(capsys, post, "--output", tmp_path / "out")


def test_vertebra_without_cement_has_no_outcome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = stored(draw(), tmp_path, "plain")
    out, table = tmp_path / "out", tmp_path / "leaks.csv"
    assert "no outcome" in refused(capsys, plain, "--output", out, "--leak-table", table, "--case", "p1")
    assert not out.exists() and not table.exists()
    assert main(["followup", str(plain), "--output", str(out), "--quiet"]) == 0
    assert json.loads((out / "followup.json").read_text())["vertebrae"] == []


def test_volumes_are_read() -> None:
    assert parse_volumes(None) is None and parse_volumes("4") == 4.0
    assert parse_volumes("L1=4, L3=2.5") == {20: 4.0, 22: 2.5}
    assert injected_ml(None, ()) == {}
    with pytest.raises(ConfigError, match="one vertebra"):
        injected_ml(4.0, ())


def test_table_keeps_notes_and_other_rows_as_they_are(tmp_path: Path) -> None:
    table = tmp_path / "leaks.csv"
    table.write_text('case,level,leak_D,pathology\np0,L1,1,"wedge, old"\n')
    add_outcomes(table, [{"case": "p1", "level": "L2", "leak_D": "0", "volume_ml": "3"}], False)
    rows = list(csv.DictReader(table.open()))
    assert rows[0]["pathology"] == "wedge, old" and rows[0]["volume_ml"] == ""
    assert rows[1] == {"case": "p1", "level": "L2", "leak_D": "0", "pathology": "", "volume_ml": "3"}
