import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.sets.spine import Spine, affine, drawn_spine, save, save_verse
from vertseg.cli import main
from vertseg.data.cases import read_case, read_index
from vertseg.data.sets.prepare import Request, prepare_set, seen_from
from vertseg.data.sets.splits import Shares

CONFIGS = Path(__file__).parents[3] / "configs"
LEVELS = (19, 20, 21, 22, 23)


def _prepare(name: str, source: Path, index: Path, *more: str) -> int:
    return main(["prepare", name, str(source), "--output", str(index), "--quiet", *more])


def _verse(root: Path, **parts: int) -> Path:
    """A VerSe set with some scans in each part."""
    seed = 0
    for part, count in parts.items():
        for _ in range(count):
            save_verse(root / f"dataset-verse19{part}", f"sub-verse{seed:03d}", drawn_spine(LEVELS, seed))
            seed += 1
    return root


def _report(index: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(index.with_name(f"{index.stem}_report.json").read_text())
    return content


def test_prepare_then_train_one_step(tmp_path: Path) -> None:
    index = tmp_path / "prepared" / "verse.json"
    assert _prepare("verse", _verse(tmp_path / "verse", training=2, validation=1, test=1), index) == 0
    parts = read_index(index)
    assert {part: [case.name for case in cases] for part, cases in parts.items()} == {
        "training": ["sub-verse000", "sub-verse001"],
        "validation": ["sub-verse002"],
        "test": ["sub-verse003"],
    }
    first = parts["training"][0]
    assert (first.patient, first.set_name, first.spacing_mm) == ("verse000", "verse", (3.0, 3.0, 3.0))
    assert [name for name, _ in first.sha256] == ["image", "level"]
    assert not Path(json.loads(index.read_text())["training"][0]["image"]).is_absolute()
    arrays = read_case(first, 3.0)
    assert set(np.unique(arrays["level"])) == {0, *LEVELS}
    overrides = [f"data.sets=[{{index: {index}}}]", "data.phantom_weight=0"]
    overrides += [f"data.loading.cache_dir={tmp_path / 'cache'}"]
    overrides += [f"run.output={tmp_path / 'run'}", "run.accelerator=cpu", "optimisation.max_steps=1"]
    overrides += ["run.validate_every=1", "run.export_every=1"]
    config = str(CONFIGS / "locate_tiny.yaml")
    assert main(["train", "locate", "--config", config, "--override", *overrides]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 1


def _broken(root: Path, name: str, spine: Spine, level: np.ndarray | None = None) -> None:
    save_verse(root / "dataset-verse19training", f"sub-verse{name}", spine, level=level)


def test_what_is_wrong_is_found_and_told_by_case(tmp_path: Path) -> None:
    root, spine = tmp_path / "verse", drawn_spine(LEVELS, 50)
    _verse(root, training=2, validation=1)
    save_verse(root / "dataset-verse19test", "sub-verse100", drawn_spine(LEVELS, 0))  # a copy of sub-verse000
    _broken(root, "101", spine, spine.level[:-1])
    _broken(root, "102", drawn_spine(LEVELS, 51), np.flip(spine.level, 0))
    order = np.array([0, *range(1, 19), *reversed(LEVELS)], np.uint8)
    _broken(root, "103", drawn_spine(LEVELS, 52), order[spine.level])
    _broken(
        root, "104", drawn_spine(LEVELS, 53), np.where(spine.level == 21, 0, spine.level).astype(np.uint8)
    )
    _broken(root, "105", drawn_spine(LEVELS, 54))
    whole = next(root.rglob("sub-verse105_ct.nii.gz"))
    whole.write_bytes(whole.read_bytes()[:-5000])
    likeness = Spine((spine.hu // 20).astype(np.int16) + 50, spine.level, spine.tissue, spine.middles)
    _broken(root, "106", likeness)
    _broken(root, "107", drawn_spine(LEVELS, 55), np.zeros_like(spine.level))
    _broken(
        root, "108", drawn_spine(LEVELS, 56), np.where(spine.level == 21, 99, spine.level).astype(np.uint8)
    )
    index = tmp_path / "index.json"
    assert _prepare("verse", root, index) == 0
    report = _report(index)
    found = {
        case["case"].removeprefix("sub-verse"): [
            (p["severity"], p["check"], p["sentence"]) for p in case["problems"]
        ]
        for case in report["cases"]
    }
    expected = {
        "100": ("error", "copies", "same as that of 'sub-verse000', which is said to be another patient's"),
        "101": ("error", "reading", "does not lie on its image's grid: the shape is"),
        "102": ("error", "labels on bone", "when mirrored left to right"),
        "103": ("error", "order", "run from foot to head: by their sizes they are numbered the wrong way"),
        "104": ("warning", "gap", "L2 is not labelled between L1 and L3"),
        "105": ("error", "reading", "is damaged or cut short"),
        "106": ("error", "reading", "does not look like a CT in HU"),
        "107": ("error", "empty", "shows no vertebra"),
        "108": ("error", "numbers", "holds the numbers [99]"),
    }
    for case, (severity, check, words) in expected.items():
        assert any(f[:2] == (severity, check) and words in f[2] for f in found[case]), (case, found[case])
    assert found["000"] == found["001"] == found["002"] == []
    assert found["104"][1][1:] == ("centroids", "There is a centroid but no mask of L2.")
    names = [case.name for cases in read_index(index).values() for case in cases]
    assert sorted(names) == ["sub-verse000", "sub-verse001", "sub-verse002", "sub-verse104"]
    assert report["summary"]["usable"] == 4


def test_strict_and_useless_sets_write_a_report_but_no_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, index = _verse(tmp_path / "verse", training=2), tmp_path / "index.json"
    spoilt = next(root.rglob("sub-verse001_ct.nii.gz"))
    spoilt.write_bytes(b"")
    assert _prepare("verse", root, index, "--strict") == 2
    assert not index.exists()
    assert "No index was written: 1 of 2 cases are left out" in capsys.readouterr().err
    assert _report(index)["summary"]["errors"] == 1
    assert _prepare("verse", root, index) == 0
    index.unlink()
    next(root.rglob("sub-verse000_ct.nii.gz")).write_bytes(b"")
    assert _prepare("verse", root, index) == 2
    assert not index.exists()
    assert capsys.readouterr().err.count("\n") == 1


def _own_scans(folder: Path, patients: int) -> Path:
    rows = []
    for number in range(patients):
        spine = drawn_spine(LEVELS, number)
        for name, array in (("ct", spine.hu), ("level", spine.level), ("tissue", spine.tissue)):
            save(folder / f"p{number}" / f"{name}.nii.gz", array)
        files = {name: f"p{number}/{name}.nii.gz" for name in ("level", "tissue")}
        rows.append({"case": f"p{number}", "image": f"p{number}/ct.nii.gz", **files, "lytic_lesion": "none"})
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_own_scans_with_a_leak_table_that_fits_and_one_that_does_not(tmp_path: Path) -> None:
    folder, index = _own_scans(tmp_path / "own", 4), tmp_path / "own.json"
    good = tmp_path / "leak.csv"
    good.write_text("case,level,leak_B,volume_ml\np0,L2,1,4\np3,T12,0,\n")
    assert _prepare("folder", folder, index, "--leak-table", str(good), "--strict") == 0
    parts = read_index(index)
    assert all(len(parts[part]) for part in ("training", "validation"))
    assert sum(map(len, parts.values())) == 4
    (name, mask), *_ = parts["training"][0].findings
    assert name == "lytic_lesion"
    assert mask.parent.resolve() == tmp_path / "own_labels"
    bad = tmp_path / "bad.csv"
    bad.write_text("case,level,leak_B\np0,L5,1\nq1,L1,0\np0,X1,0\np1,L1,2\np2,L1,0\np2,L1,1\n")
    assert _prepare("folder", folder, index, "--leak-table", str(bad)) == 0
    sentences = [problem["sentence"] for problem in _report(index)["leak_table"]]
    expected = (
        "is of L5 of 'p0', whose label map does not show that body whole (it shows T12, L1, L2, L3, L4)",
        "names the case 'q1', which the index does not",
        "'X1' is not a vertebral level",
        "has '2' for leak_B; it is one of 0, 1",
        "is the second one of L1 of 'p2'",
    )
    assert len(sentences) == len(expected)
    assert all(words in sentence for words, sentence in zip(expected, sentences, strict=True))
    assert _prepare("folder", folder, index, "--leak-table", str(bad), "--strict") == 2


def test_nobody_changes_part_when_scans_are_added(tmp_path: Path) -> None:
    index = tmp_path / "own.json"
    shares = ("--validation-share", "0.4", "--test-share", "0.2", "--seed", "3")
    parts = {}
    for patients in (6, 9):
        assert _prepare("folder", _own_scans(tmp_path / "own", patients), index, *shares) == 0
        parts[patients] = {c.name: part for part, cases in read_index(index).items() for c in cases}
    assert len(parts[9]) == 9
    assert {name: part for name, part in parts[9].items() if name in parts[6]} == parts[6]


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    root, index = _verse(tmp_path / "verse", training=3, validation=1), tmp_path / "index.json"

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_set(Request("verse", root, index, Shares()), stop)
    assert {path.name for path in tmp_path.iterdir()} == {"verse", "index_labels"}
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "index_labels").iterdir()}
    assert len(times) == 2
    assert _prepare("verse", root, index) == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert _report(index)["summary"]["annotated"] == {"level": 4}


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    root = _verse(tmp_path / "verse", training=2, validation=1)
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert _prepare("verse", root, one) == 0
    assert _prepare("verse", root, two, "--workers", "2") == 0
    assert one.read_text() == two.read_text()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--validation-share", "0.9", "--test-share", "0.3"], "must be from 0 to 1"),
        (["--workers", "0"], "--workers must be 1 or more"),
        (["--output", "index.txt"], "must end in .json"),
        (["--leak-table", "none.csv"], "The leak table none.csv cannot be read"),
    ],
)
def test_impossible_options_are_one_sentence_and_exit_2(
    more: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = _verse(tmp_path / "verse", training=1)
    assert _prepare("verse", root, tmp_path / "index.json", *more) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "index.json").exists()


def test_files_of_another_disk_are_named_in_full() -> None:
    assert seen_from(Path("/data/sets/index.json"), "/data/verse/ct.nii.gz") == "../verse/ct.nii.gz"
    assert seen_from(Path("/home/index.json"), "/data/verse/ct.nii.gz") == "/data/verse/ct.nii.gz"


def test_a_mirrored_file_with_its_own_affine_is_no_problem(tmp_path: Path) -> None:
    folder = _own_scans(tmp_path / "own", 2)
    spine = drawn_spine(LEVELS, 1)
    save(folder / "p1" / "level.nii.gz", spine.level[::-1], affine("LAS", spine.level.shape))
    assert _prepare("folder", folder, tmp_path / "own.json", "--strict") == 0
    assert _report(tmp_path / "own.json")["summary"]["warnings"] == 0
