"""Deep supervision of the examine network: losses at half resolution that training has and inference has not."""

from monai.networks.blocks.dynunet_block import UnetOutBlock
from torch import Tensor, nn

from vertseg.labels import Tissue
from vertseg.nets.unet import ExamineNet


class HalfHeads(nn.Module):
    """Tissue and findings at half resolution, read from the features of the network's last pass.

    The tissue head is of this module, so that exported weights stay those of `ExamineNet`; the findings are the
    network's own coarse logits (Lee et al. 2015, AISTATS, "Deeply-supervised nets").
    """

    def __init__(self, net: ExamineNet) -> None:
        super().__init__()
        self.tissue = UnetOutBlock(3, net.spec.filters[1], len(Tissue))
        self._seen: dict[str, Tensor] = {}
        net.unet.register_forward_hook(self._keep_features)
        net.findings_coarse.register_forward_hook(self._keep_findings)

    def forward(self) -> dict[str, Tensor]:
        """`tissue_half` (N, 3, X/2, Y/2, Z/2) and `findings_half` (N, 4, X/2, Y/2, Z/2) logits; forgets the pass."""
        half, findings = self._seen.pop("half"), self._seen.pop("findings")
        return {"tissue_half": self.tissue(half), "findings_half": findings}

    def _keep_features(self, net: nn.Module, inputs: tuple[Tensor, ...], output: list[Tensor]) -> None:
        if self.training:
            self._seen["half"] = output[-2]

    def _keep_findings(self, net: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if self.training:
            self._seen["findings"] = output
