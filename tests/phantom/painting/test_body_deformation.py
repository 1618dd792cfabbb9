"""Deformations of a map."""

import numpy as np
import torch

from vertseg.phantom.painting.body_deformation import drawn_deformation
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy


def test_a_deformation_is_undone_by_its_inverse(anatomy: LabelledAnatomy) -> None:
    pivot = anatomy.vertebrae[1].centre_mm
    points = np.stack([v.centre_mm for v in anatomy.vertebrae]) + [30.0, -20.0, 10.0]
    handed = set()
    for seed in range(6):
        deformation = drawn_deformation(anatomy.grid, pivot, 1.0, seed)
        patient = deformation.patient_points(points)
        back = deformation.map_points(torch.tensor(patient, dtype=torch.float32)).numpy()
        assert np.abs(back - points).max() < 0.1
        _, axes, stretch = deformation.poses(points, np.stack([v.axes for v in anatomy.vertebrae]))
        assert np.allclose(np.linalg.det(axes), 1.0)
        assert 0.7 < stretch.min() <= stretch.max() < 1.4
        handed.add(deformation.mirrored)
    assert handed == {True, False}
