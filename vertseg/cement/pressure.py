"""Pressure of an incompressible fluid in a porous body: a batched conjugate gradient on a seven-point stencil."""

from dataclasses import dataclass

import torch
from torch import Tensor

_MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class Stencil:
    """Conductances between voxels of padded boxes, flattened to (N, M).

    Attributes:
        links: for each axis (N, M), conductance in m3/(Pa s) from a voxel to the next along the axis.
        offsets: distance of those neighbours in the flat array. A margin of empty voxels around each box keeps
            rows from touching.
    """

    links: tuple[Tensor, Tensor, Tensor]
    offsets: tuple[int, int, int]

    def diagonal(self) -> Tensor:
        """Sum of each voxel's conductances (N, M)."""
        total = torch.zeros_like(self.links[0])
        for link, step in zip(self.links, self.offsets, strict=True):
            total += link
            total[:, step:] += link[:, :-step]
        return total


def solve_pressure(
    stencil: Stencil, sink: Tensor, inflow: Tensor, guess: Tensor, tolerance: float = 1e-3
) -> Tensor:
    """Pressure (N, M) in Pa with `inflow` as source and `sink` as conductance to zero pressure outside.

    Jacobi-scaled conjugate gradient for all sites at once, until each one's residual is below `tolerance` of
    its source.

    Args:
        stencil: conductances between voxels.
        sink: (N, M) conductance to the outside in m3/(Pa s), at least one positive per connected site.
        inflow: (N, M) source in m3/s.
        guess: (N, M) starting pressure.
        tolerance: relative residual, in the scaled norm.
    """
    diagonal = stencil.diagonal() + sink
    scale = torch.where(diagonal > 0, diagonal, 1.0).rsqrt() * (diagonal > 0)
    links = [
        link[:, :-step] * scale[:, :-step] * scale[:, step:]
        for link, step in zip(stencil.links, stencil.offsets, strict=True)
    ]

    def apply(y: Tensor) -> Tensor:
        out = y.clone()
        for link, step in zip(links, stencil.offsets, strict=True):
            out[:, :-step].addcmul_(link, y[:, step:], value=-1)
            out[:, step:].addcmul_(link, y[:, :-step], value=-1)
        return out

    b = inflow * scale
    y = torch.where(scale > 0, guess / scale.clamp_min(1e-30), 0.0)
    r = b - apply(y)
    p = r.clone()
    rr = (r * r).sum(1, keepdim=True)
    goal = tolerance**2 * (b * b).sum(1, keepdim=True)
    running = torch.ones_like(rr)
    for i in range(_MAX_ITERATIONS):
        if i % 5 == 0:
            # A site that has converged stands still, so that its result does not hang on its batch.
            running = (rr > goal).float()
            if not bool(running.any()):
                break
        q = apply(p)
        alpha = running * rr / (p * q).sum(1, keepdim=True).clamp_min(1e-30)
        y.addcmul_(alpha, p)
        r.addcmul_(alpha, q, value=-1)
        new = (r * r).sum(1, keepdim=True)
        p.mul_(torch.where(running > 0, new / rr.clamp_min(1e-30), 1.0)).addcmul_(running, r)
        rr = new
    return y * scale
