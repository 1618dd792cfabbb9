from typing import cast

import pytest
import torch
from lightning import Trainer

from vertseg.training.callbacks import AveragedWeights
from vertseg.training.locate import LocateModule
from vertseg.training.module import learning_rate_factor
from vertseg.training.recipes import LocateRecipe, Optimisation


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
