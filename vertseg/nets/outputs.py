"""The networks with the outputs that every engine gives: what is exported, and what torch runs."""

from torch import Tensor, nn

from vertseg.nets.unet import OFFSET_SCALE_MM, ExamineNet, LocateNet


class LocateOutputs(nn.Module):
    """`LocateNet` as probabilities and mm."""

    def __init__(self, net: LocateNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`tissue` (N, 5, ...) and `level` (N, 29, ...) probabilities, `offset_mm` (N, 3, ...) of (N, 1, X, Y, Z)."""
        out = self.net(image)
        return out["tissue"].softmax(1), out["level"].softmax(1), out["offset"] * OFFSET_SCALE_MM


class ExamineOutputs(nn.Module):
    """`ExamineNet` as probabilities, but leak routes as logits (`inference.leak_risk` calibrates them)."""

    def __init__(self, net: ExamineNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, plan: Tensor) -> tuple[Tensor, ...]:
        """`tissue` (N, 3, ...), `findings` (N, 4, ...), `leak_logits` (N, 4), `leak_oddness` (N,), `leak_features` (N, D)."""
        out = self.net(image, plan)
        probabilities = out["tissue"].softmax(1), out["findings"].sigmoid()
        return *probabilities, out["leak"], out["leak_oddness"], out["leak_features"]


def with_outputs(net: LocateNet | ExamineNet) -> LocateOutputs | ExamineOutputs:
    """The network with an engine's outputs."""
    return LocateOutputs(net) if isinstance(net, LocateNet) else ExamineOutputs(net)
