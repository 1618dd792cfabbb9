"""The numpy leak head against torch's, and the weights it is read from."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vertseg.errors import CheckpointError
from vertseg.inference.engines.base import GraphEngine
from vertseg.inference.leak_model import load_leak_model, read_tensors
from vertseg.inference.leak_risk import RuleDraws, leak_risk
from vertseg.nets.checkpoint import save_checkpoint
from vertseg.nets.meta import TASKS, Meta, Task
from vertseg.nets.unet import ExamineNet, NetSpec, build_network
from vertseg.training.leak_fit import fit_oddness, standardise

RULE = {"slope": [0.8, 1.2, 1.0, 0.9], "shift": [0.1, -0.2, 0.0, 0.3], "dependence": 0.2, "oddness_limit": 1.4,
    "least_confidence": 0.6}  # fmt: skip
DRAWS = {"slope": [[1.0] * 4, [0.5] * 4], "shift": [[0.0] * 4, [0.2] * 4], "dependence": [0.1, 0.3]}


def _saved(folder: Path, gaps: bool) -> tuple[Path, ExamineNet, torch.Tensor]:
    """A checkpoint whose leak head has random weights and fitted buffers, and features."""
    torch.manual_seed(3)
    net = build_network(NetSpec("examine", (8, 8, 16), gaps)).eval()
    assert isinstance(net, ExamineNet)
    features = torch.randn(60, net.leak.hidden.in_features) * 3 + 1
    with torch.no_grad():
        for parameter in net.leak.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    standardise(net.leak, features[:50])
    fit_oddness(net.leak, features[:50])
    meta = Meta("examine", (8, 8, 16), 1.5, (16, 16, 16), leak={"rule": RULE, "rule_draws": DRAWS})
    save_checkpoint(folder / "examine", net.state_dict(), meta)
    return folder, net, features


@pytest.mark.parametrize("gaps", [True, False])
def test_numpy_and_torch_give_the_same_risk(tmp_path: Path, gaps: bool) -> None:
    folder, net, features = _saved(tmp_path, gaps)
    model = load_leak_model(folder)
    nan = float("nan")
    plans = torch.tensor(
        [[4.0, 1.0, 0.0], [0.0, 2.0, 1.0], [nan, nan, nan], [7.5, 0.0, nan], [2.0, nan, 1.0]] * 12
    )
    with torch.inference_mode():
        logits, odd = net.leak(features, plans).numpy(), net.leak.oddness(features).numpy()
    assert np.abs(model.logits(features.numpy(), plans.numpy()) - logits).max() < 1e-5 * (
        1 + np.abs(logits).max()
    )
    assert np.allclose(model.oddness(features.numpy()), odd, rtol=1e-5, atol=1e-5)
    assert model.rule is not None
    told = leak_risk(logits, odd, model.rule)
    risks = model.risks(features.numpy(), plans.numpy())
    assert np.abs(risks[:, :4] - told["leak"]).max() < 1e-5
    assert np.abs(risks[:, 4] - told["any_leak"]).max() < 1e-5


def test_an_old_json_has_no_interval(tmp_path: Path) -> None:
    folder, _, features = _saved(tmp_path, True)
    plan = np.array([[4.0, 1.0, 0.0]])
    bounds = load_leak_model(folder).interval(features[:1].numpy(), plan)
    assert bounds is not None
    assert (bounds[0] <= bounds[1]).all()
    beside = folder / "examine.json"
    content = json.loads(beside.read_text())
    del content["leak"]["rule_draws"]
    beside.write_text(json.dumps(content))
    assert load_leak_model(folder).interval(features[:1].numpy(), plan) is None


def test_only_the_tensors_asked_for_are_read(tmp_path: Path) -> None:
    folder, net, _ = _saved(tmp_path, True)
    found = read_tensors(folder / "examine.safetensors", "leak.")
    own = net.leak.state_dict()
    assert set(found) == set(own)
    for name, tensor in own.items():
        assert np.array_equal(found[name], tensor.numpy())
    with pytest.raises(CheckpointError, match="no leak head"):
        read_tensors(folder / "examine.safetensors", "nothing.")


@pytest.mark.parametrize(
    "change",
    [
        {"slope": [[1.0] * 4]},
        {"slope": [[-1.0] * 4] * 2},
        {"shift": "no"},
        {"dependence": []},
        {"shift": [[0.0]] * 2},
    ],
)
def test_damaged_draws_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="train_leak_head"):
        RuleDraws.of({"rule_draws": {**DRAWS, **change}})


def test_draws_are_read_back_as_rules() -> None:
    draws = RuleDraws.of({"rule_draws": DRAWS})
    assert draws is not None
    assert [dataclasses.asdict(rule)["shift"] for rule in draws.rules()] == [(0.0,) * 4, (0.2,) * 4]


@pytest.mark.parametrize("known", [4, 5])
def test_a_graph_from_before_the_features_gives_all_else(known: int) -> None:
    """An engine passes on what its graph has: risks in any case, features where they are an output."""

    class Drawn(GraphEngine):
        name = "drawn"

        def run(self, task: Task, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
            shapes = (1, 3, 2, 2, 2), (1, 4, 2, 2, 2), (1, 4), (1,), (1, 9)
            return tuple(np.zeros(shape, np.float32) for shape in shapes[:known])

    metas = {task: Meta(task, (8, 8, 16), 1.5, (16, 16, 16), leak={"rule": RULE}) for task in TASKS}
    out = Drawn(metas, "cpu").examine(np.zeros((1, 2, 2, 2, 2), np.float32), np.zeros((1, 3), np.float32))
    expected = {"tissue", "findings", "leak", "any_leak", "leak_confidence", "leak_abstained"}
    assert set(out) == expected | ({"leak_features"} if known == 5 else set())
