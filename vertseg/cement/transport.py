"""Where a portion of cement comes to lie once the flow is known: fill, and spill downstream what does not fit."""

from dataclasses import dataclass

import torch
from torch import Tensor

FULL = 0.999
_MAX_HOPS = 60


@dataclass(frozen=True)
class Contacts:
    """Contacts of a batch's openings with its voxels, all sites in one list.

    Attributes:
        site: (J,) row of the batch.
        voxel: (J,) flat voxel.
        opening: (J,) opening, counted through the batch.
        share: (J,) part of the opening.
    """

    site: Tensor
    voxel: Tensor
    opening: Tensor
    share: Tensor


@dataclass(frozen=True)
class Flow:
    """Flow of a step, in shares of the injection rate.

    Attributes:
        forward: for each axis (N, M), flow from a voxel to the next (negative: backward).
        offsets: distance of the neighbours in the flat array.
        source: (N, M) injection, sums to 1 over a site.
        out: (J,) flow through each contact.
    """

    forward: tuple[Tensor, Tensor, Tensor]
    offsets: tuple[int, int, int]
    source: Tensor
    out: Tensor


def place_cement(
    flow: Flow,
    contacts: Contacts,
    filled_ml: Tensor,
    capacity_ml: Tensor,
    portion_ml: Tensor,
    n_openings: int,
) -> tuple[Tensor, Tensor]:
    """Cement per voxel (N, M) after the step, and what left through each opening (E,), in ml.

    Full voxels pass on what reaches them, others fill up first (a sharp front). The portion enters where the
    flow crosses from full voxels into others or into openings; what does not fit moves on downstream in
    proportion to the flow. Nothing is lost: cement that finds no room stays in its voxel beyond its capacity
    and moves on in the next step.

    Args:
        flow: the step's flow.
        contacts: openings.
        filled_ml: (N, M) cement before.
        capacity_ml: (N, M) pore volume.
        portion_ml: (N, 1) cement to place.
        n_openings: E.
    """
    full = filled_ml >= FULL * capacity_ml
    ahead = [f.clamp_min(0.0) for f in flow.forward]
    behind = [(-f).clamp_min(0.0) for f in flow.forward]
    emits = full.float()
    arriving = flow.source + _moved(emits, ahead, behind, flow.offsets)
    inflow = torch.where(full, 0.0, arriving)
    leaving = flow.out * emits[contacts.site, contacts.voxel]
    total = inflow.sum(1, keepdim=True)
    total = total.index_add(0, contacts.site, leaving[:, None])
    scale = portion_ml / total.clamp_min(1e-12)
    moving = inflow * scale + (filled_ml - capacity_ml).clamp_min(0.0)
    filled = torch.minimum(filled_ml, capacity_ml)
    leaked = torch.zeros(n_openings, device=filled.device)
    leaked.index_add_(0, contacts.opening, leaving * scale[contacts.site, 0])
    outward = ahead[0] + ahead[1] + ahead[2]
    for backward, step in zip(behind, flow.offsets, strict=True):
        outward[:, step:] += backward[:, :-step]
    outward = outward.index_put((contacts.site, contacts.voxel), flow.out, accumulate=True)
    for _ in range(_MAX_HOPS):
        room = capacity_ml - filled
        fits = torch.minimum(moving, room)
        filled = filled + fits
        moving = moving - fits
        if float(moving.sum()) < 1e-5 * float(portion_ml.sum()) + 1e-9:
            break
        rate = torch.where(outward > 0, moving / outward.clamp_min(1e-12), 0.0)
        out = flow.out * rate[contacts.site, contacts.voxel]
        leaked.index_add_(0, contacts.opening, out)
        moving = torch.where(outward > 0, 0.0, moving) + _moved(rate, ahead, behind, flow.offsets)
    return filled + moving, leaked


def _moved(rate: Tensor, ahead: list[Tensor], behind: list[Tensor], offsets: tuple[int, int, int]) -> Tensor:
    """What each voxel receives when every voxel sends `rate` times its outward flow (N, M)."""
    received = torch.zeros_like(rate)
    for f, b, step in zip(ahead, behind, offsets, strict=True):
        received[:, step:].addcmul_(rate[:, :-step], f[:, :-step])
        received[:, :-step].addcmul_(rate[:, step:], b[:, :-step])
    return received
