"""A crop as it looks after a scan of other, coarser or oblique voxels was interpolated to it."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vertseg.phantom.scanner.acquisition import Acquisition
from vertseg.phantom.scanner.exposure import expose
from vertseg.phantom.types import Array
from vertseg.volume import Grid


def scan_crop(hu: Tensor, grid: Grid, acquisition: Acquisition, seed: int) -> Tensor:
    """The crop (X, Y, Z) as scanned on the acquisition's grid and interpolated back, HU.

    Args:
        hu: painted on the crop's grid.
        grid: the crop's.
        acquisition: as `crop_acquisition` draws it for this grid: same axes in plane, slices that may rise
            along the second axis.
        seed: as for `expose`.
    """
    scan = acquisition.grid
    to_crop = np.linalg.inv(grid.affine) @ scan.affine
    small = _in_plane(hu, scan.shape[:2], "area")
    if abs(to_crop[2, 1]) < 1e-9:
        image = expose(small, acquisition, seed)
        if image.shape == hu.shape:
            return image
        return F.interpolate(image[None, None], size=hu.shape, mode="trilinear")[0, 0]
    rows, planes = np.arange(scan.shape[1]), round(scan.shape[2] * to_crop[2, 2])
    slices = (np.arange(planes) + 0.5) * scan.shape[2] / planes - 0.5
    heights = to_crop[2, 1] * rows[:, None] + to_crop[2, 2] * slices + to_crop[2, 3]
    image = expose(_along_z(small, heights), acquisition, seed)
    back = (np.arange(hu.shape[2]) - to_crop[2, 1] * rows[:, None] - to_crop[2, 3]) / to_crop[2, 2]
    return _in_plane(_along_z(image, back), (hu.shape[0], hu.shape[1]), "bilinear")


def _in_plane(values: Tensor, shape: tuple[int, int], mode: str) -> Tensor:
    if values.shape[:2] == shape:
        return values
    return F.interpolate(values.permute(2, 0, 1)[None], size=shape, mode=mode)[0].permute(1, 2, 0)


def _along_z(values: Tensor, at: Array) -> Tensor:
    """Linear interpolation of (X, Y, Z) along z at the places (Y, P), in voxels; the ends are continued."""
    n = values.shape[2]
    places = torch.as_tensor(np.clip(at, 0.0, n - 1.0), dtype=values.dtype, device=values.device)
    knots = torch.arange(n, dtype=values.dtype, device=values.device)
    hats = (1.0 - (places[:, None, :] - knots[:, None]).abs()).clamp_min(0.0)
    return torch.bmm(values.transpose(0, 1), hats).transpose(0, 1)
