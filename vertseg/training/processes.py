"""What the processes of a training have in common: how many there are, and sums over all of them."""

import os
from collections.abc import Mapping
from typing import Any, Final

import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor

from vertseg.errors import ConfigError
from vertseg.training.recipes import Run

_PROCESSES_PER_NODE: Final = ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE")
"""Set by torchrun for each process, and by SLURM's --ntasks-per-node."""


def launched_processes(run: Run) -> tuple[int, int]:
    """Processes a node and nodes of a recipe, "auto" filled in from torchrun or SLURM (one, where neither is).

    Raises:
        ConfigError: the recipe's numbers are not those that the launcher started.
    """
    per_node, nodes = _started()
    wanted = tuple(
        found if asked == "auto" else asked
        for asked, found in ((run.devices, per_node), (run.num_nodes, nodes))
    )
    if per_node * nodes > 1 and wanted != (per_node, nodes):
        raise ConfigError(
            f"{per_node * nodes} processes were started ({per_node} on each of {nodes} nodes), but the recipe says "
            f"run.devices {run.devices} and run.num_nodes {run.num_nodes}; leave both at auto, or start as many."
        )
    if min(wanted) < 1:
        raise ConfigError("run.devices and run.num_nodes are 1 or more, or auto.")
    return wanted[0], wanted[1]


def _started() -> tuple[int, int]:
    """Processes a node and nodes as Lightning's own detection sees them."""
    if TorchElasticEnvironment.detect():
        total, per_node = TorchElasticEnvironment().world_size(), os.environ.get(_PROCESSES_PER_NODE[0], "1")
    elif SLURMEnvironment.detect():
        total, per_node = SLURMEnvironment().world_size(), os.environ.get(_PROCESSES_PER_NODE[1], "1")
    else:
        return 1, 1
    return int(per_node), max(1, total // int(per_node))


def world_size() -> int:
    """Processes that train together; 1 outside a distributed training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def summed(counts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sums by name over all processes; a name that a process lacks counts as nothing there."""
    if world_size() == 1:
        return dict(counts)
    gathered: list[Any] = [None] * world_size()
    dist.all_gather_object(gathered, {name: value.cpu() for name, value in counts.items()})
    total: dict[str, Tensor] = {}
    for part in gathered:
        for name, value in part.items():
            total[name] = total[name] + value if name in total else value
    return total


def largest(number: int, device: torch.device) -> int:
    """The largest of all processes' numbers; every one of them must ask."""
    if world_size() == 1:
        return number
    asked = torch.tensor(number, device=device)
    dist.all_reduce(asked, op=dist.ReduceOp.MAX)
    return int(asked.item())
