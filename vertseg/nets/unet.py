"""The U-Net of both tasks, and the two networks built on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetResBlock, UnetUpBlock
from torch import Tensor, nn
from torch.nn import functional as F

from vertseg.labels import FINDINGS, N_LEVELS, LocateClass, Tissue
from vertseg.nets.leak_head import LeakHead
from vertseg.nets.meta import Task

OFFSET_SCALE_MM: Final = 20.0
"""The offset head gives mm divided by this."""


@dataclass(frozen=True)
class NetSpec:
    """Architecture: task and feature channels from full resolution to the bottleneck.

    Each further entry of `filters` halves the resolution, so inputs are multiples of
    2 ** (len(filters) - 1) voxels. Multiples of 8 channels run fastest on CPUs. `leak_gaps` is False for weights whose
    leak head was fitted before it measured gaps in the walls.
    """

    task: Task
    filters: tuple[int, ...] = (8, 24, 48, 96, 160)
    leak_gaps: bool = True

    @property
    def in_channels(self) -> int:
        """Input channels: the image, and for examine the marker of the vertebra."""
        return 1 if self.task == "locate" else 2

    @property
    def multiple(self) -> int:
        """Input sizes are multiples of this many voxels."""
        return int(2 ** (len(self.filters) - 1))


class Unet(nn.Module):
    """Encoder and decoder of MONAI's DynUNet blocks that also hand out their inner features.

    Instance norm, leaky ReLU, strided convolutions down, transposed convolutions up
    (Isensee et al. 2021, Nature Methods 18:203-211); residual blocks below full resolution.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        norm = ("INSTANCE", {"affine": True})
        filters = spec.filters
        self.stem = UnetBasicBlock(3, spec.in_channels, filters[0], 3, 1, norm)
        pairs = list(pairwise(filters))
        self.down = nn.ModuleList(UnetResBlock(3, a, b, 3, 2, norm) for a, b in pairs)
        self.up = nn.ModuleList(UnetUpBlock(3, b, a, 3, 2, 2, norm) for a, b in reversed(pairs))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of (N, C, X, Y, Z), from the bottleneck to full resolution (one entry per filter)."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        skips = [self.stem(x)]
        for block in self.down:
            skips.append(block(skips[-1]))
        features = [skips.pop()]
        for block in self.up:
            features.append(block(features[-1], skips.pop()))
        return features


def build_unet(spec: NetSpec) -> Unet:
    """The U-Net of a specification, in channels-last memory format."""
    unet = Unet(spec)
    for weight in unet.parameters():
        if weight.ndim == 5:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
    return unet


class _CoarseHead(nn.Module):
    """Maps the half- and quarter-resolution features to `out` channels at half resolution."""

    def __init__(self, filters: Sequence[int], out: int) -> None:
        super().__init__()
        self.at_half = UnetOutBlock(3, filters[1], out)
        self.at_quarter = UnetOutBlock(3, filters[2], out)

    def forward(self, half: Tensor, quarter: Tensor) -> Tensor:
        coarse = F.interpolate(self.at_quarter(quarter), scale_factor=2.0, mode="trilinear")
        fine: Tensor = self.at_half(half)
        return fine + coarse


class LocateNet(nn.Module):
    """Which voxels are vertebra, of which level, and where their body's centre is.

    Levels and offsets need context rather than sharp edges, so they are computed at half resolution.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.unet = build_unet(spec)
        self.tissue = UnetOutBlock(3, spec.filters[0], len(LocateClass))
        self.tissue_half = UnetOutBlock(3, spec.filters[1], len(LocateClass))
        self.level = _CoarseHead(spec.filters, N_LEVELS)
        self.offset = _CoarseHead(spec.filters, 3)

    def heads(self, x: Tensor) -> dict[str, Tensor]:
        """What the losses see: `tissue` at full, `tissue_half`, `level` and `offset` at half resolution.

        The centre of half-resolution voxel j lies at full-resolution index 2 j + 0.5.
        """
        features = self.unet(x)
        quarter, half, full = features[-3:]
        tissue_half = self.tissue_half(half)
        # The fine logits correct the coarse ones: what needs context (a sacrum) is decided where context is.
        coarse = F.interpolate(tissue_half, scale_factor=2.0, mode="trilinear")
        return {
            "tissue": self.tissue(full) + coarse,
            "tissue_half": tissue_half,
            "level": self.level(half, quarter),
            "offset": self.offset(half, quarter),
        }

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Heads of (N, 1, X, Y, Z) at full resolution.

        Returns:
            `tissue` (N, 5, X, Y, Z) logits in the order of `labels.LocateClass`, `level` (N, 29, X, Y, Z)
            logits by level number (its background entry is never trained), `offset` (N, 3, X, Y, Z): vector
            from the voxel to its vertebra's body centre along the grid's axes, in mm / `OFFSET_SCALE_MM`.
        """
        heads = self.heads(x)
        return {
            "tissue": heads["tissue"],
            "level": F.interpolate(heads["level"], scale_factor=2.0, mode="nearest"),
            "offset": F.interpolate(heads["offset"], scale_factor=2.0, mode="trilinear"),
        }


class ExamineNet(nn.Module):
    """Parts, findings and leak risk of the one vertebra that the second channel marks."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.unet = build_unet(spec)
        self.tissue = UnetOutBlock(3, spec.filters[0], len(Tissue))
        self.findings = UnetOutBlock(3, spec.filters[0], len(FINDINGS))
        self.findings_coarse = _CoarseHead(spec.filters, len(FINDINGS))
        self.leak = LeakHead(spec.filters, measures_gaps=spec.leak_gaps)

    def forward(self, x: Tensor, plan: Tensor) -> dict[str, Tensor]:
        """Heads of crops (N, 2, X, Y, Z) under plans (N, 3) (volume_ml, viscosity 0-2, approach 0-1, NaN unknown).

        Returns:
            `tissue` (N, 3, X, Y, Z) logits in the order of `labels.Tissue`, `findings` (N, 4, X, Y, Z) logits in
            the order of `labels.FINDINGS`, `leak` (N, 4) logits in the order of `labels.LEAK_ROUTES`, not
            calibrated, `leak_oddness` (N,) and `leak_features` (N, D), see `LeakHead`.
        """
        heads = self.heads(x)
        features = heads["leak_features"]
        return {
            "tissue": heads["tissue"],
            "findings": heads["findings"],
            "leak": self.leak(features, plan),
            "leak_oddness": self.leak.oddness(features),
            "leak_features": features,
        }

    def heads(self, x: Tensor) -> dict[str, Tensor]:
        """What does not hang on the plan: `tissue` and `findings` as above, `leak_features` (N, D)."""
        features = self.unet(x)
        quarter, half, full = features[-3:]
        # As in LocateNet: what needs context (is this the vein or a lesion?) is decided where context is.
        coarse = F.interpolate(self.findings_coarse(half, quarter), scale_factor=2.0, mode="trilinear")
        findings = self.findings(full) + coarse
        tissue = self.tissue(full)
        return {
            "tissue": tissue,
            "findings": findings,
            "leak_features": self.leak.features(features, x, tissue, findings),
        }


def build_network(spec: NetSpec) -> LocateNet | ExamineNet:
    """The untrained network of a specification."""
    return LocateNet(spec) if spec.task == "locate" else ExamineNet(spec)
