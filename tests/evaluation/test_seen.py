"""Scans that a checkpoint's JSON says it learned from are told, however it says so."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vertseg.data.cases import Case
from vertseg.errors import ConfigError
from vertseg.evaluation.seen import refuse_seen, seen_by
from vertseg.evaluation.sources import IndexedCase, RenderedPhantom
from vertseg.phantom.types import ScanConfig

INSIDE, OUTSIDE = RenderedPhantom(899, ScanConfig()), RenderedPhantom(900, ScanConfig())


def checkpoints(trained_on: dict[str, Any]) -> dict[str, dict[str, object]]:
    return {"locate": {"sha256": "0" * 64, "trained_on": {}}, "examine": {"trained_on": trained_on}}


def indexed(
    folder: Path, name: str = "a", part: str = "validation", content: bytes = b"voxels"
) -> IndexedCase:
    """A case on disk; only its bytes matter here."""
    image, level = folder / f"{name}.nii.gz", folder / f"{name}_level.nii.gz"
    image.write_bytes(content)
    level.write_bytes(content + b" labels")
    index = folder / "index.json"
    entry = {"case": name, "image": image.name, "level": level.name, "annotated": ["level"]}
    index.write_text(json.dumps({"training": [entry], "validation": []}))
    return IndexedCase(Case(name, image, level, None, frozenset({"level"})), index, part)


@pytest.mark.parametrize(
    "trained_on",
    [
        {"phantom_seeds": [0, 900]},
        {"phantom_seeds": [[0, 10], [800, 900]]},
        {"phantom_seeds": [0, 1], "initial": {"sha256": "1" * 64, "trained_on": {"phantom_seeds": [0, 900]}}},
        {"sources": [{"weight": 0.5, "phantoms": {"train_seeds": [700, 900]}}]},
    ],
    ids=["range", "ranges", "ancestor", "nested"],
)
def test_seeds_are_half_open_ranges_wherever_they_stand(trained_on: dict[str, Any]) -> None:
    seen = seen_by(checkpoints(trained_on))
    assert seen.has(INSIDE) and not seen.has(OUTSIDE)


def test_a_phantom_on_disk_is_told_by_its_seed(tmp_path: Path) -> None:
    case = indexed(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"seed": 5, "vertebrae": []}))
    assert seen_by(checkpoints({"phantom_seeds": [0, 6]})).has(case)
    assert not seen_by(checkpoints({"phantom_seeds": [6, 9]})).has(case)


def test_a_hash_of_image_or_labels_tells_a_case_under_any_name(tmp_path: Path) -> None:
    case = indexed(tmp_path, "renamed")
    for content in (b"voxels", b"voxels labels"):
        digest = hashlib.sha256(content).hexdigest()
        assert seen_by(checkpoints({"sets": [{"maps": [{"sha256": digest}]}]})).has(case)
    assert not seen_by(checkpoints({"sets": [{"sha256": "2" * 64}]})).has(case)


def test_a_hash_that_the_index_notes_tells_a_case_too(tmp_path: Path) -> None:
    case = indexed(tmp_path)
    noted = replace(case, case=replace(case.case, sha256=(("image", "4" * 64), ("lytic_lesion", "5" * 64))))
    assert seen_by(checkpoints({"cases": {"dicom": "4" * 64}})).has(noted)
    assert not seen_by(checkpoints({"cases": {"empty mask": "5" * 64}})).has(noted)


def test_an_index_that_is_still_there_is_read_and_its_validation_part_is_no_training(tmp_path: Path) -> None:
    learned, other = tmp_path / "learned", tmp_path / "other"
    learned.mkdir(), other.mkdir()
    indexed(learned, "a")
    seen = seen_by(checkpoints({"sets": [{"index": str(learned / "index.json")}]}))
    assert seen.unread == () and seen.has(indexed(other, "same_bytes"))
    assert not seen.has(indexed(other, "others", content=b"other voxels"))


def test_the_index_itself_is_told_by_its_hash_when_it_was_moved(tmp_path: Path) -> None:
    training, validation = indexed(tmp_path, part="training"), indexed(tmp_path, part="validation")
    digest = hashlib.sha256((tmp_path / "index.json").read_bytes()).hexdigest()
    seen = seen_by(checkpoints({"sets": [{"index": "gone/index.json", "sha256": digest}]}))
    assert seen.unread == ("gone/index.json",)
    assert seen.has(training) and not seen.has(validation)


def test_listed_names_count(tmp_path: Path) -> None:
    seen = seen_by(checkpoints({"cases": ["a", "b"]}))
    assert seen.has(indexed(tmp_path, "a")) and not seen.has(indexed(tmp_path, "c"))


def test_what_was_seen_is_refused_unless_allowed() -> None:
    seen = seen_by(checkpoints({"phantom_seeds": [0, 900]}))
    with pytest.raises(ConfigError, match="learned from phantom_899, so figures on it would flatter"):
        refuse_seen(seen, [OUTSIDE, INSIDE], allowed=False)
    assert refuse_seen(seen, [OUTSIDE, INSIDE], allowed=True) is True
    assert refuse_seen(seen, [OUTSIDE], allowed=False) is False


def test_weights_of_an_ancestor_are_no_data() -> None:
    assert seen_by(checkpoints({"initial": {"sha256": "3" * 64, "trained_on": {}}})).hashes == frozenset()
