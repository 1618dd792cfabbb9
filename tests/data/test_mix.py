"""One run on phantoms and two labelled sets that annotate different things."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.commands import CONFIGS
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.provenance import learned_from
from vertseg.data.recipes import ExamineData, LabelledSet, Loading, LocateData
from vertseg.data.sources import Mix, Source
from vertseg.errors import ConfigError
from vertseg.io import write_nifti
from vertseg.io.nifti import file_sha256
from vertseg.labels import FINDINGS
from vertseg.phantom import ScanConfig, render_scan
from vertseg.preprocess import CropSpec
from vertseg.training.config import load_recipe

CROP = CropSpec((16, 16, 16), 6.0)
ANNOTATED = {"levels_only": ["level"], "parts_too": ["level", "tissue", "cement"]}


def _source(name: str, size: int, weight: float, odds: list[float] | None = None) -> Source:
    given = None if odds is None else np.array(odds)
    return Source(name, size, lambda i: {"name": name, "number": i}, weight, given)


def test_samples_of_a_mix_carry_their_source_and_come_by_weight() -> None:
    mix = Mix([_source("a", 3, 1.0), _source("b", 2, 3.0, [1, 2])])
    assert len(mix) == 5
    found = [mix.load(i) for i in range(5)]
    assert [(f["name"], f["number"], int(f["source"])) for f in found] == [
        ("a", 0, 0), ("a", 1, 0), ("a", 2, 0), ("b", 0, 1), ("b", 1, 1),
    ]  # fmt: skip
    assert mix.odds() == pytest.approx(np.array([1 / 12] * 3 + [3 / 12, 6 / 12]))


def test_one_source_alone_is_shuffled_in_whole_passes() -> None:
    assert Mix([_source("a", 3, 0.5)]).odds() is None


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Indices of one phantom scan as two sets: levels only, and parts and cement too."""
    folder = tmp_path_factory.mktemp("sets")
    scan = render_scan(5, ScanConfig("lumbar", (4.0, 4.0, 4.0), pathology=0.0))
    volumes = {"ct": scan.hu, "level": scan.level, "tissue": scan.tissue, "cement": scan.findings["cement"]}
    indices = {}
    for name, annotated in ANNOTATED.items():
        own = folder / name
        own.mkdir()
        for kind, volume in volumes.items():
            write_nifti(own / f"{kind}.nii.gz", volume)
        entry = {"image": "ct.nii.gz", "level": "level.nii.gz", "annotated": annotated}
        if "tissue" in annotated:
            entry |= {"tissue": "tissue.nii.gz", "findings": {"cement": "cement.nii.gz"}}
        indices[name] = own / "index.json"
        indices[name].write_text(json.dumps({"training": [entry], "validation": [entry]}))
    return indices


def test_all_sources_of_examine_meet_in_one_batch_each_with_what_it_annotates(
    sets: dict[str, Path], tmp_path: Path
) -> None:
    data = ExamineData(
        CROP.spacing_mm, CROP.shape, (0, 2), (900_000, 900_001),
        loading=Loading(batch_size=60, cache_dir=str(tmp_path)),
        sets=tuple(LabelledSet(str(path)) for path in sets.values()),
    )  # fmt: skip
    module = MixedDataModule(data, 1)
    module.setup()
    assert module.sources == ("phantoms", "levels_only", "parts_too")
    batch = next(iter(module.train_dataloader()))
    source = batch["source"].numpy()
    # A third each, up to one rounding per case.
    assert np.bincount(source, minlength=3) / 60 == pytest.approx([1 / 3] * 3, abs=0.15)
    known = batch["known_findings"].numpy()
    assert known[source == 0].all()
    assert not known[source == 1].any()
    assert known[source == 2].tolist() == [[f == "cement" for f in FINDINGS]] * int((source == 2).sum())
    groups = batch["groups"].numpy()
    assert {tuple(g) for g in groups[source == 1]} == {(0, 1, 1)}
    assert {tuple(g) for g in groups[source != 1]} == {(0, 1, 2)}
    assert batch["leak"][source > 0].isnan().all()
    assert set(np.concatenate([b["source"] for b in module.val_dataloader()]).tolist()) == {0, 1, 2}


def test_all_sources_of_locate_meet_in_one_batch(sets: dict[str, Path], tmp_path: Path) -> None:
    recipe = load_recipe("locate", CONFIGS / "locate_tiny.yaml", [
        f"data.sets=[{{index: {sets['levels_only']}, weight: 3}}]", "data.loading.batch_size=8",
        f"data.loading.cache_dir={tmp_path}", "data.train_seeds=[0, 1]",
    ])  # fmt: skip
    assert isinstance(recipe.data, LocateData)
    module = MixedDataModule(recipe.data, 1)
    module.setup()
    batch = next(iter(module.train_dataloader()))
    source = batch["source"].numpy()
    # Four passes over two samples, in which that of the set is expected 1.5 times: once or twice.
    assert 4 <= (source == 1).sum() <= 8
    assert {tuple(g) for g in batch["groups"].numpy()[source == 1]} == {(0, 1, 1, 0, 0)}
    assert {tuple(g) for g in batch["groups"].numpy()[source == 0]} == {(0, 1, 2, 3, 4)}


def test_a_checkpoint_tells_every_source(sets: dict[str, Path]) -> None:
    index = sets["levels_only"]
    data = LocateData(train_seeds=(3, 5), sets=(LabelledSet(str(index), 2.0),))
    expected = {"index": str(index), "sha256": file_sha256(index), "weight": 2.0}
    assert learned_from(data) == {"phantom_seeds": [3, 5], "phantom_weight": 1.0, "sets": [expected]}
    alone = LocateData(phantom_weight=0, sets=data.sets)
    assert learned_from(alone) == {"sets": [expected]}


def test_mixes_of_nothing_are_refused(sets: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="nothing to learn from"):
        MixedDataModule(LocateData(phantom_weight=0), 1)
    index = str(sets["levels_only"])
    for own, sentence in (
        (LabelledSet(index, 0.0), "take it out"),
        (LabelledSet(index, 1.0, "leaks.csv"), "only examine learns"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            MixedDataModule(LocateData(phantom_weight=0, sets=(own,)), 1).setup()
