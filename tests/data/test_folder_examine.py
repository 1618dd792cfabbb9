"""The examine network's crops of labelled scans: two small phantoms, whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.commands import CONFIGS
from vertseg.data.cache import CachePlace
from vertseg.data.cases import read_index
from vertseg.data.crops import CaseCrops
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.leaks import UNKNOWN
from vertseg.data.recipes import ExamineData, LabelledSet, Loading
from vertseg.data.transforms import unpack_examine
from vertseg.data.vertebrae import labelled_vertebrae
from vertseg.errors import InputError
from vertseg.io import write_nifti
from vertseg.io.nifti import file_sha256
from vertseg.labels import FINDINGS, LocateClass, level_name, level_number
from vertseg.nets.meta import load_meta
from vertseg.phantom import render_scan
from vertseg.phantom.types import PhantomScan, ScanConfig
from vertseg.preprocess import CropSpec, crop_centre
from vertseg.training.command import train_command
from vertseg.volume import crop_grid

SPEC = CropSpec((32, 32, 32), 3.0)
PARTS = ["level", "tissue", "lytic_lesion"]


@pytest.fixture(scope="module")
def scans() -> dict[str, PhantomScan]:
    config = ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0), case="demo")
    return {"sick": render_scan(3, config), "plain": render_scan(5, ScanConfig("lumbar", (3.0, 3.0, 3.0)))}


@pytest.fixture(scope="module")
def folder(scans: dict[str, PhantomScan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sick` has parts and lytic lesions annotated, `plain` levels only."""
    path = tmp_path_factory.mktemp("labelled")
    for name, scan in scans.items():
        volumes = {"ct": scan.hu, "level": scan.level, "tissue": scan.tissue}
        volumes["lytic"] = scan.findings["lytic_lesion"]
        for kind, volume in volumes.items():
            write_nifti(path / f"{name}_{kind}.nii.gz", volume)
    sick = {"case": "sick", "image": "sick_ct.nii.gz", "level": "sick_level.nii.gz", "annotated": PARTS}
    sick |= {"tissue": "sick_tissue.nii.gz", "findings": {"lytic_lesion": "sick_lytic.nii.gz"}}
    plain = {"image": "plain_ct.nii.gz", "level": "plain_level.nii.gz", "annotated": ["level"]}
    (path / "index.json").write_text(json.dumps({"training": [sick], "validation": [plain]}))
    return path


def _data(folder: Path, cache: Path, table: str | None = None) -> ExamineData:
    loading, own = (
        Loading(batch_size=2, cache_dir=str(cache)),
        LabelledSet(str(folder / "index.json"), 1.0, table),
    )
    return ExamineData(SPEC.spacing_mm, SPEC.shape, loading=loading, phantom_weight=0, sets=(own,))


def _off_deg(axes: np.ndarray, truth: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((axes * truth).sum(axis=0), -1, 1))).max())


@pytest.mark.parametrize(("parts", "most_deg", "most_mm"), [(True, 12.0, 3.0), (False, 12.0, 6.0)])
def test_axes_and_centres_from_labels_are_near_the_truth(
    scans: dict[str, PhantomScan], parts: bool, most_deg: float, most_mm: float
) -> None:
    compared = 0
    for scan in scans.values():
        truth = {v.level: v for v in scan.vertebrae}
        for found in labelled_vertebrae(scan.level, scan.tissue if parts else None):
            true = truth[found.level]
            assert np.linalg.det(found.axes) == pytest.approx(1.0)
            assert _off_deg(found.axes, true.axes) < most_deg, level_name(found.level)
            off_mm = np.linalg.norm(found.centre_mm - true.centroid_mm)
            assert off_mm < most_mm + 8 * true.height_loss, level_name(found.level)
            compared += 1
    assert compared >= 10


def test_targets_of_a_crop_are_the_truth_in_the_crops_frame(
    scans: dict[str, PhantomScan], folder: Path
) -> None:
    """Compared with truth resampled to the crop that the phantom's own axes ask for."""
    (case,) = read_index(folder / "index.json")["training"]
    crops, scan, lytic = CaseCrops(case, SPEC, CachePlace(folder / "cache")), scans["sick"], 0
    truth = {v.level: v for v in scan.vertebrae}
    for found in crops.vertebrae():
        sample = unpack_examine({**crops.get(found.level), "leak": UNKNOWN.leak, "plan": UNKNOWN.plan})
        own = truth[found.level]
        grid = crop_grid(crop_centre(own.centroid_mm, own.axes), own.axes, SPEC.shape, SPEC.spacing_mm)
        mine = scan.level.resampled_to(grid, 0, 0).array == found.level
        for part in (LocateClass.BODY, LocateClass.POSTERIOR):
            wanted = mine & (scan.tissue.resampled_to(grid, 0, 0).array == part)
            dice = (
                2
                * (wanted & (sample["tissue"] == part)).sum()
                / (wanted.sum() + (sample["tissue"] == part).sum())
            )
            assert dice > (0.8 if part == LocateClass.BODY else 0.55), (level_name(found.level), part, dice)
        whole = (scan.level.array == found.level).sum() * 27.0
        assert (sample["tissue"] > 0).sum() * 27.0 == pytest.approx(whole, rel=0.12)
        marked = sample["marker"] > 0.5
        overlap = 2 * (marked & (sample["tissue"] > 0)).sum() / (marked.sum() + (sample["tissue"] > 0).sum())
        assert 0.6 < overlap < 0.999
        lytic_ml = sample["findings"][FINDINGS.index("lytic_lesion")].sum() * 0.027
        assert lytic_ml == pytest.approx(own.lytic_ml, rel=0.3, abs=0.4)
        lytic += lytic_ml > 1
        assert not sample["findings"][1:].any()
    assert lytic >= 1


def test_what_a_case_does_not_annotate_is_masked(folder: Path, tmp_path: Path) -> None:
    module = MixedDataModule(_data(folder, tmp_path), steps=2)
    module.setup()
    batch = module.on_after_batch_transfer(next(iter(module.train_dataloader())), 0)
    assert batch["image"].shape == (2, 2, *SPEC.shape)
    assert batch["known_findings"].tolist() == [[True, False, False, False]] * 2
    assert batch["groups"].tolist() == [[0, 1, 2]] * 2
    assert batch["leak"].isnan().all() and batch["plan"].isnan().all()
    plain = next(iter(module.val_dataloader()))
    assert not plain["known_findings"].any()
    assert plain["groups"][0].tolist() == [0, 1, 1]
    assert plain["tissue"].unique().tolist() == [0, 1]


def test_leak_rows_reach_their_vertebra_and_crops_are_kept(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "leak.csv"
    table.write_text("case,level,leak_B,leak_D,volume_ml,viscosity\nplain_ct.nii.gz,L2,1,0,4.5,high\n")
    module = MixedDataModule(_data(folder, tmp_path / "cache", str(table)), steps=1)
    module.setup()
    (case,) = read_index(folder / "index.json")["validation"]
    levels = [v.level for v in CaseCrops(case, SPEC, CachePlace(tmp_path / "cache")).vertebrae()]
    samples = [module.validation_set[i] for i in range(len(levels))]
    own = samples.pop(levels.index(level_number("L2")))
    assert np.array_equal(own["leak"], [1, np.nan, np.nan, 0], equal_nan=True)
    assert np.array_equal(own["plan"], [4.5, 2, np.nan], equal_nan=True)
    assert all(s["leak"].isnan().all() and s["plan"].isnan().all() for s in samples)
    kept = {p.stem for p in (tmp_path / "cache").rglob("*.npz")} - {"0000000"}
    assert kept == {f"{level:07d}" for level in levels}
    table.write_text("case,level,leak_B\nsick,C4,1\n")
    with pytest.raises(InputError, match="row for C4 of 'sick'"):
        module.setup()


def test_a_tiny_training_on_the_folder_ends(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "leak.csv").write_text("case,level,leak_S\nplain_ct.nii.gz,L3,1\nsick,L3,0\n")
    overrides = [
        f"run.output={tmp_path / 'run'}", f"data.loading.cache_dir={tmp_path / 'cache'}", "run.accelerator=cpu",
        f"data.sets=[{{index: {folder / 'index.json'}, leak_table: {tmp_path / 'leak.csv'}}}]", "data.phantom_weight=0",
    ]  # fmt: skip
    recipe = str(CONFIGS / "examine_tiny.yaml")
    assert train_command(["examine", "--config", recipe, "--override", *overrides]) == 0
    meta = load_meta(tmp_path / "run" / "examine.safetensors")
    assert meta.steps == 4
    assert set(meta.trained_on) == {"sets"}
    assert meta.trained_on["sets"][0]["sha256"] == file_sha256(folder / "index.json")
    assert {"val/dice_vertebra", "val/leak_brier_S"} <= set(meta.metrics)
    # The validation case annotates neither parts nor findings, so no figure claims to have measured them.
    assert not {"val/dice_body", "val/dice_lytic_lesion", "val/leak_brier_B"} & set(meta.metrics)
