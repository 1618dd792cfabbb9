import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from vertseg.data.cases import read_case, read_index
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.recipes import LabelledSet, Loading, LocateData
from vertseg.errors import ConfigError, InputError
from vertseg.labels import SACRUM, LocateClass

L5 = 24


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A labelled scan stored left-to-right: L5 of a body and a posterior part, and a sacrum below."""
    hu = np.random.default_rng(0).normal(0, 100, (30, 30, 30)).astype(np.float32)
    level, tissue = np.zeros((30, 30, 30), np.uint8), np.zeros((30, 30, 30), np.uint8)
    level[10:20, 6:20, 14:24] = L5
    level[10:20, 10:20, 2:10] = SACRUM
    tissue[10:20, 12:20, 14:24] = LocateClass.BODY
    tissue[10:20, 6:12, 14:24] = LocateClass.POSTERIOR
    tissue[10:20, 10:20, 2:10] = LocateClass.SACRUM
    affine = np.diag([-3.0, 3.0, 3.0, 1.0])
    for name, array in {"ct": hu, "level": level, "tissue": tissue}.items():
        nib.save(nib.Nifti1Image(array, affine), tmp_path / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image(level[:-1], affine), tmp_path / "short.nii.gz")
    return tmp_path


def _index(folder: Path, **entry: object) -> Path:
    case = {"image": "ct.nii.gz", "level": "level.nii.gz", "annotated": ["level", "sacrum"]} | entry
    path = folder / "index.json"
    path.write_text(json.dumps({"training": [case], "validation": [case]}))
    return path


def test_what_is_not_annotated_is_not_told_apart(folder: Path) -> None:
    (case,) = read_index(_index(folder))["training"]
    assert case.groups.tolist() == [0, 1, 1, 3, 0]
    annotated = ["level", "tissue", "sacrum", "other_bone"]
    (case,) = read_index(_index(folder, tissue="tissue.nii.gz", annotated=annotated))["training"]
    assert case.groups.tolist() == [0, 1, 2, 3, 4]


def test_centres_come_from_bodies_where_they_are_annotated(folder: Path) -> None:
    (whole,) = read_index(_index(folder))["training"]
    arrays = read_case(whole, 3.0)
    assert arrays["centres_vox"][L5] == pytest.approx([14.5, 12.5, 18.5])
    assert np.unique(arrays["tissue"]).tolist() == [0, LocateClass.BODY, LocateClass.SACRUM]
    (parts,) = read_index(_index(folder, tissue="tissue.nii.gz", annotated=["level", "tissue"]))["training"]
    assert read_case(parts, 3.0)["centres_vox"][L5] == pytest.approx([14.5, 15.5, 18.5])
    assert np.isnan(read_case(parts, 3.0)["centres_vox"][1]).all()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"levels": "x"}, "unknown .'levels'."),
        ({"annotated": ["tissue"]}, "must hold 'level'"),
        ({"annotated": ["level", "tissue"]}, "names no 'tissue' file"),
        ({"annotated": ["level", "guess"]}, "must hold 'level'"),
        ({"annotated": ["level", "cement"]}, "annotates cement but names no file"),
        ({"findings": {"rib": "x.nii.gz"}}, "must give a file for names of"),
    ],
)
def test_a_wrong_index_is_refused_in_a_sentence(
    folder: Path, entry: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_index(_index(folder, **entry))


def test_two_scans_of_one_name_are_refused(folder: Path) -> None:
    path = _index(folder, case="one")
    content = json.loads(path.read_text())
    content["validation"][0]["image"] = "short.nii.gz"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="two scans with the name 'one'"):
        read_index(path)


def test_labels_of_another_grid_are_refused(folder: Path) -> None:
    (case,) = read_index(_index(folder, level="short.nii.gz"))["training"]
    with pytest.raises(InputError, match="its image's grid"):
        read_case(case, 3.0)


def test_a_folder_gives_batches_and_reads_each_scan_once(folder: Path) -> None:
    loading, own = Loading(batch_size=2, cache_dir=str(folder / "cache")), LabelledSet(str(_index(folder)))
    data = LocateData(patch_shape=(16, 16, 16), loading=loading, phantom_weight=0, sets=(own,))
    module = MixedDataModule(data, steps=3)
    module.setup()
    batches = list(module.train_dataloader())
    assert len(batches) == 3
    assert batches[0]["hu"].shape == (2, 1, 16, 16, 16)
    assert batches[0]["groups"].tolist() == [[0, 1, 1, 3, 0]] * 2
    assert len(list((folder / "cache").rglob("*.npz"))) == 1
    (folder / "ct.nii.gz").rename(folder / "gone.nii.gz")
    assert len(list(module.val_dataloader())) == 1
