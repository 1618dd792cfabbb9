from pathlib import Path

import numpy as np
import pytest

from vertseg.data.cache import PhantomSpec, render_examine
from vertseg.data.datamodule import MixedDataModule
from vertseg.data.painting import LabelMap, Painter, PaintingSpec
from vertseg.data.provenance import learned_from
from vertseg.data.recipes import ExamineData, Loading, LocateData
from vertseg.errors import ConfigError, InputError
from vertseg.io.nifti import file_sha256, write_nifti
from vertseg.labels import LUMBAR, LocateClass
from vertseg.phantom import ScanConfig, render_scan
from vertseg.preprocess import CropSpec

CROP = CropSpec((24, 24, 24), 4.0)


@pytest.fixture(scope="module")
def label_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The levels of a healthy phantom's lumbar spine, as a VerSe map."""
    scan = render_scan(5, ScanConfig(field="lumbar", spacing_mm=(3.0, 3.0, 3.0), pathology=0.0))
    path = tmp_path_factory.mktemp("maps") / "map.nii.gz"
    write_nifti(path, scan.level)
    return path


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that keeps the map's distances for all tests."""
    return tmp_path_factory.mktemp("cache")


def _painting(path: Path, share: float) -> PaintingSpec:
    return PaintingSpec((LabelMap(str(path), "verse"),), share)


def test_the_share_of_seeds_is_painted_and_a_larger_share_keeps_them(label_map: Path) -> None:
    few, many = (
        {s for s in range(4000) if Painter(_painting(label_map, share), None).paints(s)}
        for share in (0.2, 0.5)
    )
    assert len(few) / 4000 == pytest.approx(0.2, abs=0.02)
    assert len(many) / 4000 == pytest.approx(0.5, abs=0.03)
    assert few < many


def test_the_digest_follows_the_maps_content_and_not_its_place(label_map: Path, tmp_path: Path) -> None:
    moved, changed = tmp_path / "moved.nii.gz", tmp_path / "changed.nii.gz"
    moved.write_bytes(label_map.read_bytes())
    changed.write_bytes(label_map.read_bytes() + b"\0")
    here, there, other = (Painter(_painting(p, 0.5), None).digest for p in (label_map, moved, changed))
    assert here == there != other


def test_a_painted_crop_shows_a_whole_vertebra_of_the_map_with_leaks(
    label_map: Path, cache_dir: Path
) -> None:
    painter = Painter(_painting(label_map, 1.0), cache_dir)
    arrays = painter.crop(3, CROP)
    body = np.argwhere(arrays["tissue"] == LocateClass.BODY)
    assert body.mean(axis=0) == pytest.approx([11.5, 11.5 + 18 / 4, 11.5], abs=3)
    assert set(np.unique(arrays["leak"])) <= {0.0, 1.0}
    assert {name: a.shape for name, a in arrays.items()} == {
        name: a.shape for name, a in render_examine(0, CROP).items()
    }


def test_painted_scans_hold_the_maps_levels_and_validation_is_never_painted(
    label_map: Path, cache_dir: Path
) -> None:
    data = LocateData(
        6.0, (16, 16, 24), (0, 1), (900_000, 900_001), PhantomSpec("lumbar", (6.0, 6.0, 6.0)),
        _painting(label_map, 1.0), loading=Loading(cache_dir=str(cache_dir)),
    )  # fmt: skip
    module = MixedDataModule(data, 1)
    for seed in module.phantoms.missing():
        module.phantoms.render(seed)
    assert module.phantoms.missing() == []
    stored = sorted(cache_dir.glob("locate-*/*.npz"))
    assert sorted(p.stem for p in stored) == ["0000000", "0900000"]
    assert len({p.parent for p in stored}) == 2
    with np.load(next(p for p in stored if p.stem == "0000000")) as arrays:
        levels = set(np.unique(arrays["level"])) & set(LUMBAR)
        placed = set(np.flatnonzero(~np.isnan(arrays["centres_vox"][:, 0])))
    assert len(levels) >= 3
    assert levels <= placed
    unpainted = MixedDataModule(
        LocateData(6.0, (16, 16, 24), (0, 1), (900_000, 900_001), data.phantom, loading=data.loading), 1
    )
    assert unpainted.phantoms.missing() == [0]


def test_wrong_paintings_are_refused(label_map: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no maps"):
        MixedDataModule(ExamineData(painting=PaintingSpec(share=0.1)), 1)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        MixedDataModule(ExamineData(painting=_painting(label_map, 1.5)), 1)
    loading = Loading(cache_dir=str(tmp_path))
    with pytest.raises(InputError, match="cannot be read"):
        MixedDataModule(ExamineData(painting=_painting(tmp_path / "none.nii.gz", 0.1), loading=loading), 1)


def test_a_checkpoint_tells_which_maps_it_was_painted_on_by_name_and_content(label_map: Path) -> None:
    told = learned_from(LocateData(train_seeds=(0, 2), painting=_painting(label_map, 0.5)))
    maps = [{"map": "map.nii.gz", "sha256": file_sha256(label_map)}]
    assert told == {"phantom_seeds": [0, 2], "painted": {"share": 0.5, "maps": maps}}
