"""Which scans a folder holds, under which names, and how they are shared out."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertseg.errors import ConfigError
from vertseg.inference.folders.discovery import BadScan, FoundScan, FoundScans, find_scans

DAMAGED = bytes(128) + b"DICM" + b"\x02\x00"


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(root: Path, **choices: object) -> list[str]:
    return [scan.name for scan in find_scans(root, **choices).scans]


def test_images_at_any_depth_in_a_stable_order(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b.nii.gz",
        "a/deep/er/x.nii",
        "a.b/y.zip",
        "notes.txt",
        ".hidden.nii",
        ".trash/z.nii",
        "a/c.NII.GZ",
    )
    assert names(tmp_path) == ["a/c", "a/deep/er/x", "a.b/y", "b"]
    assert find_scans(tmp_path).bad == ()


def test_names_that_differ_in_their_ending_only_keep_it(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.nii.gz", "p/a.nii", "p/a.zip", "p/b.nii", "q/a.nii")
    assert names(tmp_path) == ["p/a.nii", "p/a.nii.gz", "p/a.zip", "p/b", "q/a"]


def test_names_that_only_differ_in_case_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii", "A.nii")
    if len(list(tmp_path.iterdir())) == 2:
        with pytest.raises(ConfigError, match="rename"):
            find_scans(tmp_path)


def test_results_are_no_scans(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.nii.gz",
        "out/a/x.nii",
        "old/report.json",
        "old/levels.nii.gz",
        "old/cement.nii.gz",
        "old/ct.nii.gz",
    )
    touch(tmp_path, "labels/levels.nii.gz")
    assert names(tmp_path, leave_out=tmp_path / "out") == ["a", "labels/levels", "old/ct"]
    # The results among the scans themselves: nothing is left out but what predict wrote.
    assert names(tmp_path, leave_out=tmp_path) == ["a", "labels/levels", "old/ct", "out/a/x"]


def test_match_chooses_by_file_name_or_path(tmp_path: Path) -> None:
    touch(tmp_path, "s1/ct.nii.gz", "s1/labels.nii.gz", "s2/ct.nii.gz", "ct.nii.gz")
    assert names(tmp_path, match="ct.nii.gz") == ["ct", "s1/ct", "s2/ct"]
    assert names(tmp_path, match="s?/ct*") == ["s1/ct", "s2/ct"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.nii")
    (tmp_path / "real" / "up").symlink_to(tmp_path / "real")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "real")
    assert names(tmp_path / "set") == ["linked/a"]


def test_a_folder_that_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    touch(tmp_path, "closed/a.nii", "b.nii")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_scans(tmp_path)
    assert [s.name for s in found.scans] == ["b"]
    assert found.bad[0].name == "closed" and "Permission denied" in found.bad[0].sentence


def test_series_by_folder(tmp_path: Path, small_scan) -> None:
    scan = small_scan()
    for folder, number in (("p1/ct", 2), ("p2", 3), ("p2", 4), ("p3/a", 5)):
        scan.write_dicom(tmp_path / folder, series=number)
    # One series over two folders, and one of a single slice.
    for k, dataset in enumerate(scan.slices(series=6)):
        (tmp_path / "p4" / f"part{k % 2}").mkdir(parents=True, exist_ok=True)
        dataset.save_as(tmp_path / "p4" / f"part{k % 2}" / f"{k}.dcm", enforce_file_format=True)
    scan.slices(series=7)[0].save_as(tmp_path / "p3" / "scout.dcm", enforce_file_format=True)
    scan.write_dicom(tmp_path / "p5", series=8, Modality="MR")
    touch(tmp_path, "p1/ct/notes.txt")
    found = find_scans(tmp_path)
    assert [s.name for s in found.scans] == ["p1/ct", "p2/series_3", "p2/series_4", "p3/a", "p4"]
    assert [len(s.files) for s in found.scans] == [10] * 5
    assert found.scans[1].path == tmp_path / "p2" and found.scans[1].series == "1.2.3.3"
    assert found.bad == ()
    assert names(tmp_path, series="4") == ["p2"]
    assert names(tmp_path, series="spine 6") == ["p4"]


def test_series_without_numbers_of_their_own_are_named_by_uid(tmp_path: Path, small_scan) -> None:
    scan = small_scan()
    for series in (2, 3):
        scan.write_dicom(tmp_path, series=series, SeriesNumber=9)
    assert names(tmp_path) == ["series_1.2.3.2", "series_1.2.3.3"]


def test_a_damaged_slice_makes_the_series_beside_it_bad_and_no_other(tmp_path: Path, small_scan) -> None:
    scan = small_scan()
    scan.write_dicom(tmp_path / "good", series=2)
    scan.write_dicom(tmp_path / "hurt", series=3)
    (tmp_path / "hurt" / "slice.dcm").write_bytes(DAMAGED)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "slice.dcm").write_bytes(DAMAGED)
    found = find_scans(tmp_path)
    assert [s.name for s in found.scans] == ["good"]
    assert [b.name for b in found.bad] == ["alone", "hurt"]
    assert all("slice.dcm" in b.sentence and "damaged" in b.sentence for b in found.bad)


def test_a_zip_is_one_scan(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("a.nii", b"not looked at")
    assert names(tmp_path) == ["p"]


@given(st.integers(0, 40), st.integers(0, 5), st.integers(1, 9))
def test_shards_are_disjoint_complete_and_even(scans: int, bad: int, parts: int) -> None:
    root = Path("set")
    found = FoundScans(
        tuple(FoundScan(f"s{i * 7 % 41}", root, (root,)) for i in range(scans)),
        tuple(BadScan(f"b{i}", "It is bad.") for i in range(bad)),
    )
    shards = [found.part(i, parts) for i in range(1, parts + 1)]
    got = [x.name for shard in shards for x in (*shard.scans, *shard.bad)]
    assert sorted(got) == sorted([s.name for s in found.scans] + [b.name for b in found.bad])
    sizes = [len(s.scans) + len(s.bad) for s in shards]
    assert max(sizes) - min(sizes) <= 1
