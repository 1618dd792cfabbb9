"""Small scans written the way scanners and converters write them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_CLASS = "1.2.840.10008.5.1.4.1.1.2.1"
MR_CLASS = "1.2.840.10008.5.1.4.1.1.4"
LPS = np.array([-1.0, -1.0, 1.0])


@dataclass
class SmallScan:
    """HU (column, row, slice) with every voxel different, and its affine to RAS mm."""

    hu: NDArray[np.int16]
    affine: NDArray[np.float64]
    tags: dict[str, Any] = field(default_factory=dict)

    def write_nifti(self, path: Path) -> Path:
        """The scan as nibabel writes it."""
        nib.save(nib.Nifti1Image(self.hu, self.affine), path)
        return path

    def slices(self, series: int = 2, **changes: Any) -> list[Any]:
        """One pydicom dataset per slice, in order; `changes` override tags (None removes one)."""
        return [self._slice(k, series, changes) for k in range(self.hu.shape[2])]

    def write_dicom(self, folder: Path, series: int = 2, **changes: Any) -> Path:
        """The scan as a folder of slices whose names say nothing of their order."""
        folder.mkdir(parents=True, exist_ok=True)
        for k, dataset in enumerate(self.slices(series, **changes)):
            name = f"{(k * 37 + 11) % 1009:04d}-{series}.dcm"
            dataset.save_as(folder / name, enforce_file_format=True)
        return folder

    def geometry(self) -> tuple[NDArray[np.float64], list[float], list[float]]:
        """Positions (slices, 3) in LPS, ImageOrientationPatient and PixelSpacing."""
        columns = self.affine[:3, :3] * LPS[:, np.newaxis]
        lengths = np.linalg.norm(columns, axis=0)
        k = np.arange(self.hu.shape[2])[:, np.newaxis]
        positions = self.affine[:3, 3] * LPS + k * columns[:, 2]
        orientation = np.r_[columns[:, 0] / lengths[0], columns[:, 1] / lengths[1]]
        return positions, orientation.tolist(), [float(lengths[1]), float(lengths[0])]

    def _slice(self, k: int, series: int, changes: dict[str, Any]) -> Any:
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian

        positions, orientation, spacing = self.geometry()
        tags: dict[str, Any] = {
            "SOPClassUID": CT_CLASS, "SOPInstanceUID": f"1.2.3.{series}.{k + 1}", "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": f"1.2.3.{series}", "FrameOfReferenceUID": "1.2.3.9", "Modality": "CT",
            "SeriesNumber": series, "SeriesDescription": f"Spine {series}", "InstanceNumber": 1,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "PatientName": "Somebody^Private",
            "PatientID": "SECRET", "ImagePositionPatient": [f"{p:.8g}" for p in positions[k]],
            "ImageOrientationPatient": [f"{o:.12f}"[:16] for o in orientation],
            "PixelSpacing": spacing, "Rows": self.hu.shape[1], "Columns": self.hu.shape[0],
            "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16,
            "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0, "RescaleSlope": 1,
            "RescaleIntercept": -1024, "RescaleType": "HU", "Manufacturer": "Drawn",
            **self.tags, **changes,
        }  # fmt: skip
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.MediaStorageSOPClassUID = tags["SOPClassUID"]
        dataset.file_meta.MediaStorageSOPInstanceUID = tags["SOPInstanceUID"]
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        for name, value in tags.items():
            if value is not None:
                setattr(dataset, name, value)
        stored = (self.hu[:, :, k].T.astype(int) - (tags["RescaleIntercept"] or 0)) // (
            tags["RescaleSlope"] or 1
        )
        signed = tags["PixelRepresentation"] == 1
        dataset.set_pixel_data(
            np.ascontiguousarray(stored).astype(np.int16 if signed else np.uint16), "MONOCHROME2", 16,
            generate_instance_uid=False,
        )  # fmt: skip
        return dataset


@pytest.fixture
def small_scan() -> Callable[..., SmallScan]:
    """Maker of scans of 26 x 24 x 10 voxels of 1.0 x 1.25 x 3 mm, from -1000 to 1000 HU."""

    def make(
        directions: NDArray[np.float64] | None = None, shape: tuple[int, int, int] = (26, 24, 10)
    ) -> SmallScan:
        values = np.linspace(-1000, 1000, int(np.prod(shape)))
        hu = np.random.default_rng(3).permutation(values).reshape(shape).astype(np.int16)
        affine = np.eye(4)
        axes = np.diag(LPS) if directions is None else directions
        affine[:3, :3] = axes * np.array([1.0, 1.25, 3.0])
        affine[:3, 3] = (80.5, 60.25, -140)
        return SmallScan(hu, affine)

    return make
