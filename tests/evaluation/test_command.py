"""`vertseg evaluate` from an index to the page, on drawn scans whose engine reads the HU."""

import base64
import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.inference.drawn import DrawnSpine, draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg.cli import main
from vertseg.evaluation import run
from vertseg.evaluation.result import schema
from vertseg.evaluation.sources import indexed_cases
from vertseg.inference.options import PredictOptions
from vertseg.io import write_nifti
from vertseg.labels import level_number
from vertseg.volume import Volume

NAMES = "T12 L1 L2"
ANNOTATED = ["level", "tissue", "lytic_lesion"]


class Engines:
    """Opens oracles that say what they learned from, and remembers the plans they were asked with."""

    def __init__(self) -> None:
        self.trained_on: dict[str, Any] = {}
        self.plans: list[np.ndarray] = []
        self.opened = 0

    def __call__(self, *_: object) -> Oracle:
        self.opened += 1
        oracle = Oracle(NAMES.split())
        described = {"sha256": "1" * 64, "steps": 5, "trained_on": self.trained_on}
        oracle.checkpoints = {"locate": described, "examine": described}
        plain = oracle.examine
        oracle.examine = lambda crops, plan: self.plans.append(plan) or plain(crops, plan)  # type: ignore[func-returns-value,method-assign]
        return oracle


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    opener = Engines()
    monkeypatch.setattr(run, "open_engine", opener)
    return opener


def lesion(spine: DrawnSpine) -> np.ndarray:
    """A ball of 6 mm in the body of L1."""
    points = spine.grid.world(np.moveaxis(np.indices(spine.grid.shape), 0, -1))
    mask = np.linalg.norm(points - spine.centres_mm[level_number("L1")], axis=-1) < 7
    return np.asarray(mask & (spine.tissue == 1))


def write_case(folder: Path, name: str, sick: bool, lesser_mm: float = 0.0) -> dict[str, Any]:
    """A drawn scan with its labels, as an entry of an index."""
    spine = draw_spine(NAMES, lesser_field_mm=lesser_mm)
    lytic = lesion(spine) if sick else np.zeros(spine.grid.shape, dtype=bool)
    for ending, array in (
        ("level", spine.level),
        ("tissue", spine.tissue),
        ("lytic", lytic.astype(np.uint8)),
    ):
        write_nifti(folder / f"{name}_{ending}.nii.gz", Volume(array, spine.grid.affine))
    write_nifti(folder / f"{name}.nii.gz", hu_of(spine, lytic))
    return {
        "case": name, "image": f"{name}.nii.gz", "level": f"{name}_level.nii.gz", "tissue": f"{name}_tissue.nii.gz",
        "findings": {"lytic_lesion": f"{name}_lytic.nii.gz"}, "annotated": ANNOTATED, "patient": f"patient of {name}",
        "set": "drawn",
    }  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases to test on, one of them with a lesion, and one to learn from; injections of the first."""
    folder = tmp_path_factory.mktemp("set")
    test = [write_case(folder, "sick", True), write_case(folder, "well", False)]
    content = {"training": [write_case(folder, "learned", False, 9.0)], "test": test}
    (folder / "index.json").write_text(json.dumps(content))
    (folder / "leak.csv").write_text(
        "case,level,leak_B,leak_S,leak_C,leak_D,volume_ml,viscosity,approach\n"
        "sick,L1,0,1,0,0,4.5,low,bipedicular\nwell,L2,0,0,0,0,2,high,unipedicular\nwell,L5,0,0,0,0,2,,\n"
    )
    return folder / "index.json"


def evaluate(index: Path, output: Path, *more: str) -> int:
    return main(["evaluate", str(index), "--output", str(output), "--quiet", *more])


@pytest.fixture(scope="module")
def finished(index: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Engines]:
    """Folder of an evaluation of the test part, and the engines that it opened."""
    output, opener = tmp_path_factory.mktemp("finished"), Engines()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "open_engine", opener)
        assert evaluate(index, output) == 0
    return output, opener


def test_an_index_becomes_figures_and_tables(finished: tuple[Path, Engines]) -> None:
    output, _ = finished
    result = json.loads((output / "metrics.json").read_text())
    jsonschema.validate(result, schema())
    overall = result["overall"]
    assert (overall["scans"], overall["patients"], overall["vertebrae"]) == (2, 2, 6)
    assert result["part"] == "test" and result["seen_in_training"] is False
    assert overall["structures"]["vertebra"]["dice"]["value"] > 0.95
    assert overall["naming"]["identification_rate"]["value"] == 1
    found = overall["objects"]["lytic_lesion"]["sizes"]["0.2"]
    assert (
        found["truths"] == 1 and found["sensitivity"]["value"] == 1 and found["false_per_scan"]["value"] == 0
    )
    assert (overall["leak"]["vertebrae"], overall["leak"]["not_in_view"]) == (2, 1)
    assert overall["leak"]["outcomes"]["S"]["prevalence"]["value"] == 0.5
    # The oracle foretells 0.1 for every route.
    assert overall["leak"]["outcomes"]["B"]["brier"]["value"] == pytest.approx(0.01, abs=1e-5)
    rows = list(csv.DictReader((output / "vertebrae.csv").open()))
    assert [r["level"] for r in rows if r["leak_S"] == "1"] == ["L1"]
    assert [r["name"] for r in csv.DictReader((output / "cases.csv").open())] == ["sick", "well"]


def test_each_vertebra_is_asked_with_its_own_plan(finished: tuple[Path, Engines]) -> None:
    sick, well = finished[1].plans
    assert sick[1].tolist() == [4.5, 0, 1] and np.isnan(sick[[0, 2]]).all()
    assert well[2].tolist() == [2, 2, 0] and np.isnan(well[:2]).all()


def test_the_page_needs_no_other_file(finished: tuple[Path, Engines]) -> None:
    tags: list[tuple[str, dict[str, str | None]]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append((tag, dict(attrs)))  # type: ignore[method-assign]
    parser.feed((finished[0] / "evaluation.html").read_text())
    linked = [
        value for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")
    ]
    picture = base64.b64encode((finished[0] / "plots.png").read_bytes()).decode()
    assert linked == [f"data:image/png;base64,{picture}"] and picture.startswith("iVBOR")
    assert "script" not in {tag for tag, _ in tags}


def test_finished_scans_are_kept_until_something_changes(
    index: Path, tmp_path: Path, engines: Engines
) -> None:
    def again(leak_table: Path | None = None) -> tuple[list[dict[str, Any]], int]:
        """The scores, and how many scans were predicted for them."""
        engines.plans.clear()
        _, sources = indexed_cases(index, None, leak_table)
        scores = run.run_evaluation(sources, tmp_path, run.EngineChoice(), PredictOptions())
        return scores, len(engines.plans)

    first, predicted = again()
    assert predicted == 2 and again() == (first, 0)
    next((tmp_path / "cases").glob("well-*.json")).unlink()
    without_times = [{**s, "seconds": {}} for s in first]
    scores, predicted = again()
    assert predicted == 1 and [{**s, "seconds": {}} for s in scores] == without_times
    other = tmp_path / "leaks.csv"
    other.write_text("case,level,leak_B,volume_ml\nsick,L2,1,3\n")
    assert again(other)[1] == 1


def test_scans_that_were_learned_from_are_refused_or_marked(
    index: Path, tmp_path: Path, engines: Engines, capsys: pytest.CaptureFixture[str]
) -> None:
    engines.trained_on = {"initial": {"sha256": "2" * 64, "trained_on": {"sets": [{"index": str(index)}]}}}
    assert evaluate(index, tmp_path / "training", "--part", "training") == 2
    assert "learned from learned" in capsys.readouterr().err
    assert not (tmp_path / "training").exists()
    assert evaluate(index, tmp_path / "training", "--part", "training", "--allow-seen") == 0
    assert json.loads((tmp_path / "training" / "metrics.json").read_text())["seen_in_training"] is True
    assert "<title>SEEN IN TRAINING" in (tmp_path / "training" / "evaluation.html").read_text()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--part", "validation"], "no cases under 'validation', but training and test"),
        (["--workers", "0"], "--workers must be 1 or more"),
        (["--leak-ceiling", "absent.json"], "no leak ceiling"),
        (["--leak-table", "absent.csv"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    index: Path,
    tmp_path: Path,
    engines: Engines,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    sentence: str,
) -> None:
    assert evaluate(index, tmp_path / "out", *more) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
