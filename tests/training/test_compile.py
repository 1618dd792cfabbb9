import shutil

import pytest
import torch

from vertseg.nets.losses import ExamineWeights
from vertseg.training.examine import ExamineModule
from vertseg.training.recipes import ExamineRecipe, Run

WEIGHTS = ExamineWeights(tissue_half=0.3, findings_half=0.3)


def _module(compiled: bool) -> ExamineModule:
    torch.manual_seed(0)
    return ExamineModule(ExamineRecipe(filters=(8, 8, 8), weights=WEIGHTS, run=Run(compile=compiled)))


def test_a_compiled_network_has_the_weights_names_of_a_plain_one() -> None:
    plain, compiled = _module(False), _module(True)
    assert compiled.net.unet._compiled_call_impl is not None
    assert plain.net.unet._compiled_call_impl is None
    assert compiled.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_network_learns_as_a_plain_one() -> None:
    """Loss terms, deep supervision among them, and gradients."""
    generator = torch.manual_seed(1)
    batch = {
        "image": torch.randn(2, 2, 16, 16, 16, generator=generator),
        "plan": torch.full((2, 3), float("nan")),
        "tissue": torch.randint(0, 3, (2, 16, 16, 16), generator=generator),
        "groups": torch.arange(3).expand(2, 3),
        "findings": (torch.rand(2, 4, 16, 16, 16, generator=generator) < 0.2).to(torch.uint8),
        "known_findings": torch.ones(2, 4, dtype=torch.bool),
        "leak": torch.zeros(2, 4),
    }
    gradients = []
    for module in (_module(False), _module(True)):
        for _ in range(2):
            module.zero_grad()
            terms = module.losses(batch)
            torch.stack(list(terms.values())).sum().backward()
        assert {"tissue_half", "findings_half"} <= terms.keys()
        gradients.append({n: p.grad for n, p in module.named_parameters() if p.grad is not None})
    plain, compiled = gradients
    assert plain.keys() == compiled.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(compiled[name], gradient, rtol=1e-3, atol=1e-4)
