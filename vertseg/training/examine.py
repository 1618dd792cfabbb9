"""Training of the examine network."""

import torch
from torch import Tensor
from torch.nn import functional as F

from vertseg.labels import FINDINGS, LEAK_ROUTES, Tissue
from vertseg.nets.losses import IGNORED, finding_loss, leak_loss, tissue_loss, told_apart
from vertseg.nets.unet import ExamineNet, NetSpec, build_network
from vertseg.training.module import Batch, NetworkModule
from vertseg.training.recipes import ExamineRecipe
from vertseg.training.supervision import HalfHeads

_CLASSES = {c.name.lower(): c.value for c in Tissue if c != Tissue.NONE}


class ExamineModule(NetworkModule):
    """Losses and validation of `ExamineNet`."""

    def __init__(self, recipe: ExamineRecipe) -> None:
        super().__init__(recipe.optimisation)
        self._weights = recipe.weights
        net = build_network(NetSpec("examine", recipe.filters))
        assert isinstance(net, ExamineNet)
        self.net: ExamineNet = net
        if recipe.run.compile:
            net.unet.compile()
        own = recipe.weights
        self.half_heads = HalfHeads(net) if own.tissue_half > 0 or own.findings_half > 0 else None

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms: tissue, findings, leak routes, and deep supervision of the first two."""
        terms = self._terms(self.net(batch["image"], batch["plan"]), batch)
        return terms if self.half_heads is None else {**terms, **self._half_terms(self.half_heads(), batch)}

    def _half_terms(self, heads: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The tissue term at every second voxel; that of findings against the share of each eight voxels."""
        weights, tissue = self._weights, batch["tissue"][:, ::2, ::2, ::2]
        findings = F.avg_pool3d(batch["findings"].float(), 2)
        known, vertebra = batch["known_findings"], (tissue > 0) & (tissue != IGNORED)
        return {
            "tissue_half": weights.tissue_half * tissue_loss(heads["tissue_half"], tissue, batch["groups"]),
            "findings_half": weights.findings_half
            * finding_loss(heads["findings_half"], findings, known, vertebra, weights),
        }

    def _terms(self, heads: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        weights = self._weights
        vertebra = (batch["tissue"] > 0) & (batch["tissue"] != IGNORED)
        findings = finding_loss(
            heads["findings"], batch["findings"], batch["known_findings"], vertebra, weights
        )
        return {
            "tissue": weights.tissue * tissue_loss(heads["tissue"], batch["tissue"], batch["groups"]),
            "findings": weights.findings * findings,
            "leak": weights.leak * leak_loss(heads["leak"], batch["leak"]),
        }

    def heads(self, batch: Batch) -> dict[str, Tensor]:
        """The network's heads under the batch's plans."""
        heads: dict[str, Tensor] = self.net(batch["image"], batch["plan"])
        return heads

    def judge(self, batch: Batch, heads: dict[str, Tensor]) -> None:
        """Dice of the vertebra, its parts and findings, Brier score of the leak routes; each where annotated."""
        self.mean("loss", torch.stack(list(self._terms(heads, batch).values())).sum())
        prediction = heads["tissue"].argmax(1)
        self.show(batch, prediction)
        self.count((prediction > 0).long(), (batch["tissue"] > 0).long(), {"vertebra": 1})
        parted = told_apart(batch["groups"], Tissue.POSTERIOR)
        if bool(parted.any()):
            self.count(prediction[parted], batch["tissue"][parted], _CLASSES)
        for f, name in enumerate(FINDINGS):
            known = batch["known_findings"][:, f]
            if bool(known.any()):
                self.count((heads["findings"][known, f] > 0).long(), batch["findings"][known, f], {name: 1})
        squared = (heads["leak"].sigmoid() - batch["leak"]) ** 2
        for r, route in enumerate(LEAK_ROUTES):
            rows = squared[:, r][~squared[:, r].isnan()]
            if len(rows):
                self.mean(f"leak_brier_{route}", rows)
