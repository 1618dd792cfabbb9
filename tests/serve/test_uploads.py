"""Uploads that attack: bombs, links, ways out of the folder, lies about sizes."""

import gzip
import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from vertseg.errors import InputError
from vertseg.serve.settings import Limits
from vertseg.serve.uploads import check_dicom, check_nifti_header, check_upload, kind_of, unpack

SMALL = Limits(inflated_mib=1, files=5)


def header(*dims: int, order: str = "<", count: int | None = None) -> bytes:
    """A NIfTI-1 header that says these dimensions."""
    values = [len(dims) if count is None else count, *dims, *[1] * (7 - len(dims))]
    return struct.pack(order + "i", 348) + bytes(36) + struct.pack(order + "8h", *values) + bytes(348 - 56)


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
def test_header_that_fits_and_one_that_asks_for_too_much(order: str) -> None:
    check_nifti_header(header(64, 64, 64, order=order), SMALL)
    with pytest.raises(InputError, match="larger than this server takes"):
        check_nifti_header(header(64, 64, 65, order=order), SMALL)


@pytest.mark.parametrize(
    "head",
    [header(0, 4, 4), header(-5, 4, 4), header(4, count=9), header(4, count=0), header(4, count=-1)],
)
def test_impossible_dimensions_are_refused(head: bytes) -> None:
    with pytest.raises(InputError, match="impossible dimensions"):
        check_nifti_header(head, SMALL)


def test_dimensions_whose_product_overflows_64_bits_are_refused() -> None:
    with pytest.raises(InputError, match="larger"):
        check_nifti_header(header(*[32767] * 7), SMALL)


def test_gzip_that_holds_more_than_its_header_says_is_stopped(tmp_path: Path) -> None:
    bomb = tmp_path / "upload"
    bomb.write_bytes(gzip.compress(header(4, 4, 4) + bytes(64 << 20)))
    assert bomb.stat().st_size < 100_000
    check_upload(bomb, ".nii.gz", SMALL)
    with pytest.raises(InputError, match="larger"):
        unpack(bomb, ".nii.gz", tmp_path, SMALL)
    assert (tmp_path / "scan.nii").stat().st_size <= 1 << 20


def test_zip_bomb_is_refused_from_its_listing(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(zipped(("a", bytes(2 << 20))))
    with pytest.raises(InputError, match="larger"):
        check_upload(path, ".zip", SMALL)


def test_zip_that_lies_about_its_sizes_is_refused_while_unpacking(tmp_path: Path) -> None:
    content = bytearray(zipped(("a", bytes(2 << 20))))
    # The uncompressed size stands at 22 in the local header and at 24 in the central one (APPNOTE 4.3.7, 4.3.12).
    for at in (22, content.rindex(b"PK\x01\x02") + 24):
        content[at : at + 4] = struct.pack("<I", 1000)
    path = tmp_path / "upload"
    path.write_bytes(content)
    check_upload(path, ".zip", SMALL)
    with pytest.raises(InputError, match="damaged"):
        unpack(path, ".zip", tmp_path, SMALL)
    assert sum(f.stat().st_size for f in (tmp_path / "series").iterdir()) <= 1 << 20


def test_names_in_a_zip_never_reach_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "in" / "upload"
    path.parent.mkdir()
    path.write_bytes(zipped(("../../evil", b"x"), ("/etc/evil", b"y"), ("DOE^JANE/1.dcm", b"z")))
    folder = tmp_path / "in" / "out"
    folder.mkdir()
    series = unpack(path, ".zip", folder, SMALL)
    assert sorted(f.name for f in series.iterdir()) == ["000000", "000001", "000002"]
    assert not any("evil" in f.name or "DOE" in f.name for f in tmp_path.rglob("*"))


def test_links_and_crowds_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="symbolic links"):
        check_upload(path, ".zip", SMALL)
    path.write_bytes(zipped(*((str(i), b"") for i in range(6))))
    with pytest.raises(InputError, match="6 files"):
        check_upload(path, ".zip", SMALL)


def test_dicom_that_would_decode_to_gigabytes_is_refused(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    bomb = pydicom.Dataset()
    bomb.Rows = bomb.Columns = 65_535
    bomb.NumberOfFrames = 10_000
    bomb.SamplesPerPixel = 1
    bomb.file_meta = pydicom.dataset.FileMetaDataset()
    bomb.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    pydicom.dcmwrite(tmp_path / "0", bomb, enforce_file_format=False)
    with pytest.raises(InputError, match="larger"):
        check_dicom(tmp_path, Limits())


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04rest", ".zip"),
        (b"\x1f\x8b\x08rest", ".nii.gz"),
        (bytes(128) + b"DICM", ".dcm"),
        (header(4, 4, 4), ".nii"),
    ],
)
def test_formats_are_known_by_their_first_bytes(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "upload").write_bytes(content)
    assert kind_of(tmp_path / "upload") == kind


@pytest.mark.parametrize("content", [b"", b"\x80\x05pickle.", b"<html>", b"PK"])
def test_other_formats_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "upload").write_bytes(content)
    with pytest.raises(InputError):
        kind_of(tmp_path / "upload")
