import pytest
import torch

from vertseg.labels import FINDINGS
from vertseg.nets.losses import ExamineWeights
from vertseg.training.examine import ExamineModule
from vertseg.training.module import Batch
from vertseg.training.recipes import ExamineRecipe

SIZE = (8, 8, 8)


def _module(tissue_half: float, findings_half: float) -> ExamineModule:
    torch.manual_seed(0)
    weights = ExamineWeights(tissue_half=tissue_half, findings_half=findings_half)
    return ExamineModule(ExamineRecipe(filters=(8, 8, 8), weights=weights))


def _batch() -> Batch:
    generator = torch.manual_seed(1)
    tissue = torch.randint(0, 3, (2, *SIZE), generator=generator)
    return {
        "image": torch.randn(2, 2, *SIZE, generator=generator),
        "plan": torch.full((2, 3), float("nan")),
        "tissue": tissue,
        "groups": torch.arange(3).expand(2, 3),
        "findings": (torch.rand(2, len(FINDINGS), *SIZE, generator=generator) < 0.2).to(torch.uint8),
        "known_findings": torch.ones(2, len(FINDINGS), dtype=torch.bool),
        "leak": torch.zeros(2, 4),
    }


def test_deep_supervision_adds_its_terms_by_weight_and_nothing_to_the_exported_network() -> None:
    plain, deep, twice = _module(0, 0), _module(0.3, 0.2), _module(0.6, 0.4)
    assert plain.net.state_dict().keys() == deep.net.state_dict().keys()
    twice.load_state_dict(deep.state_dict())
    plain.net.load_state_dict(deep.net.state_dict())
    terms = [module.losses(_batch()) for module in (plain, deep, twice)]
    assert terms[1].keys() - terms[0].keys() == {"tissue_half", "findings_half"}
    for name, value in terms[0].items():
        assert value.item() == pytest.approx(terms[1][name].item())
    for name in ("tissue_half", "findings_half"):
        assert terms[2][name].item() == pytest.approx(2 * terms[1][name].item(), rel=1e-5)


def test_deep_supervision_teaches_the_half_resolution_and_not_the_full_one() -> None:
    module = _module(1.0, 1.0)
    terms = module.losses(_batch())
    (terms["tissue_half"] + terms["findings_half"]).backward()
    taught = {name for name, p in module.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert any(name.startswith("half_heads.tissue") for name in taught)
    assert any(name.startswith("net.findings_coarse.at_half") for name in taught)
    assert any(name.startswith("net.unet.down") for name in taught)
    assert not any(name.startswith(("net.tissue", "net.findings.", "net.unet.up.1")) for name in taught)


def test_validation_keeps_no_features() -> None:
    module = _module(0.3, 0.3).eval()
    module.net(_batch()["image"], _batch()["plan"])
    assert module.half_heads is not None
    with pytest.raises(KeyError):
        module.half_heads()


def test_a_step_in_bf16_gives_a_loss_in_float32_near_that_of_float32() -> None:
    module = _module(0.3, 0.3)
    full = torch.stack(list(module.losses(_batch()).values())).sum()
    with torch.autocast("cpu", torch.bfloat16):
        terms = module.losses(_batch())
    low = torch.stack(list(terms.values())).sum()
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(full.item(), rel=0.03)
    low.backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in module.parameters() if p.grad is not None)
