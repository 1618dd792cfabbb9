"""Training of the locate network."""

import torch
from torch import Tensor

from vertseg.data.targets import offset_target
from vertseg.labels import LocateClass
from vertseg.nets.losses import is_vertebra, level_loss, offset_loss, tissue_loss, told_apart
from vertseg.nets.unet import OFFSET_SCALE_MM, LocateNet, NetSpec, build_network
from vertseg.training.module import Batch, NetworkModule
from vertseg.training.recipes import LocateRecipe

_STRIDE = 2
_CLASSES = {c.name.lower(): c.value for c in LocateClass if c != LocateClass.BACKGROUND}


class LocateModule(NetworkModule):
    """Losses and validation of `LocateNet`."""

    def __init__(self, recipe: LocateRecipe) -> None:
        super().__init__(recipe.optimisation)
        self._weights = recipe.weights
        self._spacing_mm = recipe.data.spacing_mm
        net = build_network(NetSpec("locate", recipe.filters))
        assert isinstance(net, LocateNet)
        self.net: LocateNet = net
        if recipe.run.compile:
            net.unet.compile()

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms: tissue at full and half resolution, level and offset at half resolution."""
        return self._terms(self.net.heads(batch["image"]), batch)

    def _terms(self, heads: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        weights, groups = self._weights, batch["groups"]
        half = (slice(None), *[slice(None, None, _STRIDE)] * 3)
        level = batch["level"][half]
        target, mask = offset_target(level, batch["centres_vox"], self._spacing_mm, _STRIDE)
        return {
            "tissue": weights.tissue
            * tissue_loss(heads["tissue"], batch["tissue"], groups, weights.tissue_classes),
            "tissue_half": weights.tissue_half
            * tissue_loss(heads["tissue_half"], batch["tissue"][half], groups, weights.tissue_classes),
            "level": weights.level * level_loss(heads["level"], level),
            "offset": weights.offset * offset_loss(heads["offset"], target, mask),
        }

    def heads(self, batch: Batch) -> dict[str, Tensor]:
        """The network's heads at their own resolutions."""
        return self.net.heads(batch["image"])

    def judge(self, batch: Batch, heads: dict[str, Tensor]) -> None:
        """Dice per class where it is told apart, share of voxels with the right level, mean error of offsets (mm)."""
        self.mean("loss", torch.stack(list(self._terms(heads, batch).values())).sum())
        prediction = heads["tissue"].argmax(1)
        self.show(batch, prediction)
        for name, number in _CLASSES.items():
            rows = told_apart(batch["groups"], number)
            if bool(rows.any()):
                self.count(prediction[rows], batch["tissue"][rows], {name: number})
        bone = [LocateClass.BODY.value, LocateClass.POSTERIOR.value]
        self.count(
            torch.isin(prediction, torch.tensor(bone, device=prediction.device)).long(),
            torch.isin(batch["tissue"], torch.tensor(bone, device=prediction.device)).long(),
            {"vertebra": 1},
        )
        level = batch["level"][:, ::_STRIDE, ::_STRIDE, ::_STRIDE]
        vertebra = is_vertebra(level)
        if bool(vertebra.any()):
            found = heads["level"][:, 1:].argmax(1) + 1
            self.mean("level_accuracy", (found == level)[vertebra].float())
            self.confuse(torch.where(vertebra, level, 0), found)
        target, mask = offset_target(level, batch["centres_vox"], self._spacing_mm, _STRIDE)
        if bool(mask.any()):
            self.mean("offset_error_mm", (heads["offset"] - target).norm(dim=1)[mask] * OFFSET_SCALE_MM)
