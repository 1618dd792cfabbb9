"""Cohorts: the same files for any number of workers and after a kill, readable by what trains on them."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vertseg.cli import main
from vertseg.data.cases import read_index
from vertseg.data.leaks import read_leak_table
from vertseg.errors import ConfigError
from vertseg.frames import labelled_vertebrae
from vertseg.io import read_labels
from vertseg.labels import LUMBAR, THORACIC, level_number
from vertseg.phantom import ScanConfig, render_scan
from vertseg.phantom.case import CaseSpec, injectable
from vertseg.phantom.cohort import CohortSpec, make_cohort
from vertseg.phantom.pathology.disease import Screws
from vertseg.phantom.patient.anatomy import draw_anatomy

CONFIG = ScanConfig(field="lumbar", spacing_mm=(6.0, 6.0, 6.0))
SPEC = CohortSpec(3, 11, CONFIG)
OPTIONS = ["--field", "lumbar", "--spacing", "6,6,6", "--quiet"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small scans, made by one worker."""
    output = tmp_path_factory.mktemp("cohort") / "one"
    assert make_cohort(output, SPEC, workers=1) == 3
    return output


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_two_workers_give_the_same_files_as_one(cohort: Path, tmp_path: Path) -> None:
    arguments = ["phantom", "cohort", "--scans", "3", "--seed", "11", "--workers", "2", *OPTIONS]
    assert main([*arguments, "--output", str(tmp_path / "two")]) == 0
    one, two = contents(cohort), contents(tmp_path / "two")
    assert list(one) == list(two)
    assert [name for name in one if one[name] != two[name]] == []


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_in_the_same_files(cohort: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed"
    code = (
        "import os, pathlib\n"
        "from vertseg.phantom import ScanConfig\n"
        "from vertseg.phantom.cohort import CohortSpec, make_cohort\n"
        f"spec = CohortSpec({SPEC.scans}, {SPEC.seed}, {CONFIG!r})\n"
        "kill = lambda done, total: done == 1 and os.kill(os.getpid(), 9)\n"
        f"make_cohort(pathlib.Path({str(output)!r}), spec, 1, kill)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL
    finished = list(output.glob("*/done.json"))
    assert 1 <= len(finished) < 3
    assert not (output / "index.json").exists()
    assert make_cohort(output, SPEC, workers=1) == 3 - len(finished)
    assert contents(output) == contents(cohort)


@pytest.mark.slow
def test_an_interrupted_run_leaves_nothing_half_written(cohort: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    output = tmp_path / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        make_cohort(output, SPEC, workers=1, progress=interrupt)
    begun = {p.name for p in output.glob("case_*")}
    assert "case_00000" in begun and {p.parent.name for p in output.glob("case_*/done.json")} == begun
    whole = contents(cohort)
    assert {name: whole[name] for name in contents(output)} == contents(output)


@pytest.mark.slow
def test_damaged_and_half_written_cases_are_made_again(cohort: Path, tmp_path: Path) -> None:
    output = shutil.copytree(cohort, tmp_path / "copy")
    short, flipped = (output / f"case_{n:05d}" / f"case_{n:05d}.nii.gz" for n in (0, 2))
    short.write_bytes(short.read_bytes()[:-5])
    damaged = bytearray(flipped.read_bytes())
    damaged[100] ^= 1
    flipped.write_bytes(damaged)
    assert make_cohort(output, SPEC, workers=1) == 2
    assert contents(output) == contents(cohort)
    assert make_cohort(output, SPEC, workers=1) == 0


@pytest.mark.slow
def test_more_scans_leave_the_first_ones_as_they_are(cohort: Path, tmp_path: Path) -> None:
    output = shutil.copytree(cohort, tmp_path / "grown")
    assert make_cohort(output, CohortSpec(4, 11, CONFIG), workers=1) == 1
    before, after = contents(cohort), contents(output)
    assert all(after[name] == data for name, data in before.items() if name.startswith("case_"))
    assert sum(map(len, read_index(output / "index.json").values())) == 4


def test_index_and_leak_table_are_read_by_what_trains_on_them(cohort: Path) -> None:
    parts = read_index(cohort / "index.json")
    training, validation = ({c.name for c in parts[p]} for p in ("training", "validation"))
    assert len(training) == 2 and len(validation) == 1 and not training & validation
    cases = {c.name: c for c in (*parts["training"], *parts["validation"])}
    table = read_leak_table(cohort / "leak.csv", set(cases))
    assert len(table) >= 9
    for name, case in cases.items():
        assert all(path.exists() for path in case.files())
        assert case.tissue is not None
        whole = {v.level for v in labelled_vertebrae(read_labels(case.level), read_labels(case.tissue))}
        assert {level for known, level in table if known == name} <= whole
    for injection in table.values():
        assert not np.isnan(injection.leak).any() and not np.isnan(injection.plan).any()
        assert 1 <= injection.plan[0] <= 8


def test_rows_are_one_per_vertebra_that_could_be_treated(cohort: Path) -> None:
    with (cohort / "leak.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len({(r["case"], r["level"]) for r in rows}) == len(rows)
    known = (*THORACIC[3:], *LUMBAR)
    assert all(level_number(r["level"]) in known for r in rows)
    for row in rows:
        cement = read_labels(cohort / row["case"] / f"{row['case']}_cement.nii.gz").array
        level = read_labels(cohort / row["case"] / f"{row['case']}_level.nii.gz").array
        assert not cement[level == level_number(row["level"])].any()


def test_truth_agrees_with_the_masks(cohort: Path) -> None:
    checked = 0
    for folder in sorted(cohort.glob("case_*")):
        truth = json.loads((folder / f"{folder.name}.json").read_text())
        level = read_labels(folder / f"{folder.name}_level.nii.gz")
        lytic = read_labels(folder / f"{folder.name}_lytic_lesion.nii.gz").array > 0
        for v in truth["vertebrae"]:
            inside = lytic & (level.array == level_number(v["level"]))
            assert v["lytic_ml"] == pytest.approx(inside.sum() * 0.216, abs=1e-3)
            assert v["pathology"].get("lytic_lesion", 0.0) == pytest.approx(v["lytic_ml"], abs=1e-3)
            assert np.linalg.det(v["axes"]) == pytest.approx(1.0, abs=1e-3)
            checked += 1
    assert checked >= 15


def test_a_case_depends_on_seed_and_number_alone() -> None:
    assert CohortSpec(3, 11, CONFIG).cases() == CohortSpec(9, 11, CONFIG).cases()[:3]
    seeds = {case.scan_seed for s in range(40) for case in CohortSpec(40, s, CONFIG).cases()}
    assert len(seeds) == 1600
    assert CaseSpec(11, 0, CONFIG).scan_seed != CaseSpec(0, 11, CONFIG).scan_seed


def test_a_fifth_validates_and_at_least_one() -> None:
    assert [len(CohortSpec(n, 4, CONFIG).validation()) for n in (2, 5, 50)] == [1, 1, 10]
    assert CohortSpec(50, 4, CONFIG).validation() != CohortSpec(50, 5, CONFIG).validation()


def test_what_the_field_cuts_is_not_injected() -> None:
    scan, anatomy = render_scan(11, CONFIG), draw_anatomy(11, CONFIG)
    chosen = {v.level for v in injectable(scan, anatomy)}
    top = scan.vertebrae[0].level
    assert (scan.level.array[:, :, -1] == top).any() and top not in chosen
    assert LUMBAR[1] in chosen
    screws = Screws((1.0, -1.0), 3.0, 0.8, 3.0, 0, 8000.0)
    treated = tuple(replace(s, screws=screws) if s.level == LUMBAR[1] else s for s in anatomy.vertebrae)
    assert {v.level for v in injectable(scan, replace(anatomy, vertebrae=treated))} == chosen - {LUMBAR[1]}


def test_a_folder_of_another_cohort_is_refused_and_stays_as_it_is(
    cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(cohort)
    given = ["phantom", "cohort", "--output", str(cohort), *OPTIONS]
    for arguments, word in (
        (["--scans", "3", "--seed", "12"], "of seed 11, not 12"),
        (["--scans", "3", "--seed", "11", "--spacing", "5,5,5"], "another spacing_mm"),
        (["--scans", "3", "--seed", "11", "--healthy"], "another pathology"),
        (["--scans", "2", "--seed", "11"], "begun for 3 scans"),
    ):
        assert main([*given, *arguments]) == 2
        error = capsys.readouterr().err
        assert word in error and error.count("\n") == 1 and "Traceback" not in error
    assert contents(cohort) == before


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        make_cohort(tmp_path, SPEC, workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
