"""A small scan as one multi-frame object."""

from typing import Any

import numpy as np

from tests.io.conftest import ENHANCED_CT_CLASS, SmallScan


def enhanced(scan: SmallScan, shared_orientation: bool) -> Any:
    """The scan as one Enhanced CT object, frames in an order of their own."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    slices = scan.slices()
    order = np.random.default_rng(1).permutation(len(slices))
    result = slices[0]
    result.SOPClassUID = result.file_meta.MediaStorageSOPClassUID = ENHANCED_CT_CLASS
    positions, orientation, spacing = scan.geometry()

    def group(**macros):
        dataset = Dataset()
        for name, tags in macros.items():
            item = Dataset()
            for tag, value in tags.items():
                setattr(item, tag, value)
            setattr(dataset, name, Sequence([item]))
        return dataset

    plane = {"PlaneOrientationSequence": {"ImageOrientationPatient": [f"{o:.10f}"[:16] for o in orientation]}}
    shared = {
        "PixelMeasuresSequence": {"PixelSpacing": spacing},
        "PixelValueTransformationSequence": {
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "RescaleType": "HU",
        },
    }
    place = [{"ImagePositionPatient": [f"{p:.8g}" for p in positions[k]]} for k in order]
    result.SharedFunctionalGroupsSequence = Sequence(
        [group(**shared, **(plane if shared_orientation else {}))]
    )
    result.PerFrameFunctionalGroupsSequence = Sequence(
        [group(PlanePositionSequence=p, **({} if shared_orientation else plane)) for p in place]
    )
    for tag in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(result, tag)
    frames = np.stack([scan.hu[:, :, k].T.astype(int) + 1024 for k in order]).astype(np.uint16)
    result.NumberOfFrames = len(slices)
    result.set_pixel_data(frames, "MONOCHROME2", 16, generate_instance_uid=False)
    return result
