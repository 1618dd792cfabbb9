import dataclasses
import json
from pathlib import Path

import pytest
import torch

from vertseg.errors import CheckpointError
from vertseg.nets.checkpoint import load_checkpoint, save_checkpoint
from vertseg.nets.meta import Meta
from vertseg.nets.unet import NetSpec, build_network

META = Meta("examine", (8, 8, 16), 1.5, (16, 16, 16), {"phantom_seeds": [0, 9]}, 12, {"val/loss": 0.5}, "abc")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    net = build_network(NetSpec(META.task, META.filters)).eval()
    return save_checkpoint(tmp_path / "folder" / "examine", net.state_dict(), META), net


def test_a_checkpoint_comes_back_with_weights_and_description(saved: tuple[Path, torch.nn.Module]) -> None:
    path, net = saved
    loaded, meta = load_checkpoint(path)
    x, plan = torch.randn(1, 2, 16, 16, 16), torch.tensor([[4.0, 1.0, float("nan")]])
    for name, value in net(x, plan).items():
        assert torch.equal(loaded(x, plan)[name], value)
    assert not loaded.training
    assert {**meta.to_json(), "sha256": ""} == META.to_json()
    assert sorted(p.name for p in path.parent.iterdir()) == ["examine.json", "examine.safetensors"]


def _edit(path: Path, **changes: object) -> None:
    beside = path.with_suffix(".json")
    content = json.loads(beside.read_text()) | changes
    beside.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"format_version": None}, "format version None"),
        ({"architecture": {"filters": [8, 8, 24]}}, "does not fit"),
        ({"architecture": None}, "damaged"),
        ({"task": "guess"}, "task 'guess'"),
        ({"normalisation": "zscore"}, "normalisation 'zscore'"),
        ({"sha256": "0"}, "sha256 differs"),
    ],
)
def test_wrong_descriptions_are_refused_in_a_sentence(
    saved: tuple[Path, torch.nn.Module], changes: dict[str, object], sentence: str
) -> None:
    path, _ = saved
    _edit(path, **changes)
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(path)


def test_absent_and_damaged_files_are_refused(saved: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    path, _ = saved
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / "none.safetensors")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="sha256 differs"):
        load_checkpoint(path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match="beside it"):
        load_checkpoint(path)


def test_weights_with_another_leak_head_keep_their_segmentation(tmp_path: Path) -> None:
    """Checkpoints from before the present leak head: all but the head is read, and no risk is promised."""
    net = build_network(NetSpec("examine", (8, 8, 16)))
    state = {k: v.clone() for k, v in net.state_dict().items() if not k.startswith("leak.")}
    state["leak.hidden.weight"] = torch.zeros(48, 7)
    meta = Meta("examine", (8, 8, 16), 1.5, (16, 16, 16))
    loaded, found = load_checkpoint(save_checkpoint(tmp_path / "examine", state, meta))
    kept = loaded.state_dict()
    assert all(torch.equal(kept[k], v) for k, v in state.items() if not k.startswith("leak."))
    assert found.leak == {}


def test_the_leak_rule_travels_with_the_weights(tmp_path: Path) -> None:
    """What a leak head was fitted to, and how its logits are read, is in the JSON."""
    net = build_network(NetSpec("examine", (8, 8, 16)))
    leak = {"rule": {"slope": [1.0] * 4}, "trained_on": {"phantom_seeds": [0, 9]}}
    meta = Meta("examine", (8, 8, 16), 1.5, (16, 16, 16), leak=leak)
    _, found = load_checkpoint(save_checkpoint(tmp_path / "examine", net.state_dict(), meta))
    assert found.leak == leak


def test_a_leak_head_from_before_the_gaps_still_gives_its_risks(tmp_path: Path) -> None:
    """It reads the features that it was fitted to, and keeps its calibration."""
    torch.manual_seed(1)
    spec = NetSpec("examine", (8, 8, 16), leak_gaps=False)
    net = build_network(spec).eval()
    meta = dataclasses.replace(META, leak={"rule": {"slope": [1.0]}})
    loaded, described = load_checkpoint(save_checkpoint(tmp_path / "examine", net.state_dict(), meta))
    x, plan = torch.randn(1, 2, 16, 16, 16), torch.tensor([[4.0, 1.0, 0.0]])
    assert torch.equal(loaded(x, plan)["leak"], net(x, plan)["leak"])
    assert described.leak == meta.leak
    newer = build_network(NetSpec("examine", (8, 8, 16)))
    assert newer(x, plan)["leak_features"].shape[1] > loaded(x, plan)["leak_features"].shape[1]
    path = save_checkpoint(tmp_path / "other", {**newer.state_dict(), "leak.base.bias": torch.zeros(9)}, meta)
    assert load_checkpoint(path)[1].leak == {}
