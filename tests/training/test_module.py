from typing import Any, cast

import pytest
import torch
from lightning import Trainer
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.training.callbacks import AveragedWeights
from vertseg.training.examine import ExamineModule
from vertseg.training.locate import LocateModule
from vertseg.training.module import learning_rate_factor
from vertseg.training.recipes import ExamineRecipe, LocateRecipe, Optimisation


def test_the_schedule_warms_up_and_falls_as_a_cosine() -> None:
    own = Optimisation(max_steps=110, warmup_steps=10)
    factors = [learning_rate_factor(step, own) for step in range(130)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[60] == pytest.approx(0.5)
    assert factors[110:] == pytest.approx([0.0] * 20)


def test_averaged_weights_follow_their_formula_and_validation_puts_them_in_and_out() -> None:
    module = LocateModule(LocateRecipe(filters=(8, 8, 8)))
    average, trainer = AveragedWeights(0.999), cast(Trainer, None)
    bias = module.net.tissue.conv.conv.bias
    with torch.no_grad():
        bias.fill_(1.0)
    average.on_fit_start(trainer, module)
    expected = 1.0
    for step in range(1, 4):
        with torch.no_grad():
            bias.fill_(1.0 + step)
        average.on_train_batch_end(trainer, module, None, None, step)
        decay = (1 + step) / (10 + step)
        expected = decay * expected + (1 - decay) * (1 + step)
    assert average.averaged(module)["tissue.conv.conv.bias"][0].item() == pytest.approx(expected)
    average.on_validation_start(trainer, module)
    assert bias[0].item() == pytest.approx(expected)
    average.on_validation_end(trainer, module)
    assert bias[0].item() == 4.0

    resumed = AveragedWeights(0.999)
    resumed.load_state_dict(average.state_dict())
    resumed.on_fit_start(trainer, module)
    assert resumed.averaged(module)["tissue.conv.conv.bias"][0].item() == pytest.approx(expected)


def test_validation_figures_are_given_over_all_and_of_each_source_where_annotated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two crops of one source the parts are found and known, of one of another neither."""
    module, logged = ExamineModule(ExamineRecipe(filters=(8, 8, 8))), cast(dict[str, float], {})
    tissue = torch.ones(3, 4, 4, 4, dtype=torch.uint8)
    tissue[:2, 2:] = 2
    found = tissue.clone()
    found[2, :1] = 0
    heads = {
        "tissue": torch.nn.functional.one_hot(found.long(), 3).movedim(-1, 1) * 50.0,
        "findings": torch.full((3, len(FINDINGS), 4, 4, 4), -50.0),
        "leak": torch.zeros(3, 4),
    }
    batch: dict[str, Tensor] = {
        "image": torch.zeros(3, 2, 4, 4, 4), "tissue": tissue, "source": torch.tensor([0, 0, 1]),
        "groups": torch.tensor([[0, 1, 2], [0, 1, 2], [0, 1, 1]]),
        "findings": torch.zeros(3, len(FINDINGS), 4, 4, 4),
        "known_findings": torch.tensor([[True] + [False] * 3, [True] + [False] * 3, [False] * 4]),
        "leak": torch.full((3, 4), float("nan")),
    }  # fmt: skip
    module.source_names = ("phantoms", "own")
    monkeypatch.setattr(module, "heads", lambda batch: heads)

    def log(name: str, value: Any, **_: Any) -> None:
        logged[name] = float(value)

    monkeypatch.setattr(module, "log", log)
    module.on_validation_epoch_start()
    module.validation_step(batch, 0)
    module.on_validation_epoch_end()
    assert logged["val/phantoms/dice_vertebra"] == pytest.approx(1)
    assert logged["val/own/dice_vertebra"] == pytest.approx(2 * 48 / (48 + 64))
    assert logged["val/dice_vertebra"] == pytest.approx(2 * 176 / (176 + 192))
    assert logged["val/phantoms/dice_body"] == logged["val/dice_body"] == pytest.approx(1)
    assert "val/phantoms/dice_lytic_lesion" in logged
    assert not any(
        name.startswith(("val/own/dice_body", "val/own/dice_lytic", "val/own/leak")) for name in logged
    )


def test_a_locate_step_in_bf16_gives_losses_in_float32_near_those_of_float32() -> None:
    torch.manual_seed(0)
    module = LocateModule(LocateRecipe(filters=(8, 8, 8)))
    generator = torch.manual_seed(1)
    level = torch.randint(0, 26, (2, 16, 16, 16), generator=generator)
    batch = {
        "image": torch.randn(2, 1, 16, 16, 16, generator=generator), "level": level,
        "tissue": torch.randint(0, 5, (2, 16, 16, 16), generator=generator),
        "centres_vox": torch.full((2, 29, 3), 8.0),
        "groups": torch.tensor([[0, 1, 2, 3, 4], [0, 1, 1, 0, 0]]),
    }  # fmt: skip
    full = module.losses(batch)
    with torch.autocast("cpu", torch.bfloat16):
        low = module.losses(batch)
    torch.stack(list(low.values())).sum().backward()
    assert {name: value.dtype for name, value in low.items()} == dict.fromkeys(full, torch.float32)
    for name, value in full.items():
        assert low[name].item() == pytest.approx(value.item(), rel=0.03), name
    assert all(bool(torch.isfinite(p.grad).all()) for p in module.parameters() if p.grad is not None)
