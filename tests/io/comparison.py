"""Two scans that should be one."""

import numpy as np

from vertseg import io


def assert_same_scan(dicom: io.Scan, nifti: io.Scan) -> None:
    """HU equal and every corner of the grid at the same world position."""
    np.testing.assert_array_equal(dicom.volume.array, nifti.volume.array)
    np.testing.assert_allclose(dicom.volume.grid.corners_mm(), nifti.volume.grid.corners_mm(), atol=1e-3)
    assert dicom.volume.array.dtype == np.float32
