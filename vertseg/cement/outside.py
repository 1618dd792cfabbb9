"""Where leaked cement is drawn: the simulator knows how much left by which opening, not the plexus beyond."""

from typing import Final

import torch
from torch import Tensor

from vertseg.cement.injection import Injection
from vertseg.cement.routes import BASIVERTEBRAL, CORTEX_CANAL, DISC, ROUTES, SEGMENTAL
from vertseg.cement.site import InjectionSite

REACH_MM: Final = 30.0
"""Farthest from its opening that leaked cement is drawn."""

_STRETCH: Final = {
    BASIVERTEBRAL: (1.0, 0.7, 2.2),
    SEGMENTAL: (1.6, 1.6, 0.6),
    DISC: (1.8, 1.8, 0.7),
}
"""Extent along (x, y, z): the anterior epidural plexus runs up and down, segmental veins around the waist, cement
in a disc lies flat; a round blob else."""

_LEAST_ML: Final = 1e-4


def outside_map(result: Injection, site: InjectionSite) -> Tensor:
    """Leaked cement by route, (R, X, Y, Z) float32 shares of voxels, in the order of `routes.ROUTES`.

    Each opening's cement fills the free voxels nearest to it, in the canal for routes that lead there. What finds
    no room within `REACH_MM` or beyond the grid is left out.
    """
    free = ~(site.body | site.posterior)
    maps = torch.zeros((len(ROUTES), *site.body.shape), device=site.body.device)
    openings = result.prepared.openings
    low = torch.tensor(result.prepared.low, device=site.body.device)
    order = torch.argsort(result.opening_leaked_ml, descending=True)
    for opening in order.tolist():
        volume = float(result.opening_leaked_ml[opening])
        if volume < _LEAST_ML:
            break
        route = int(openings.route[opening])
        mine = openings.opening == opening
        contact = (openings.voxel[mine] * openings.share[mine][:, None]).sum(0) + low
        in_canal = route in (BASIVERTEBRAL, CORTEX_CANAL)
        room = free & (site.canal if in_canal else ~site.canal)
        _fill_nearest(maps, route, room, contact, (volume / site.voxel_ml, REACH_MM / site.spacing_mm))
    return maps


def _fill_nearest(
    maps: Tensor, route: int, room: Tensor, contact: Tensor, amount: tuple[float, float]
) -> None:
    """Fill `amount` (voxels, reach in voxels) into the nearest free voxels of one route's map."""
    voxels, reach = amount
    window = tuple(slice(max(0, int(c - reach)), int(c + reach) + 2) for c in contact.tolist())
    start = torch.tensor([w.start for w in window], device=room.device)
    near = torch.nonzero(room[window])
    if not len(near):
        return
    stretch = torch.tensor(_STRETCH.get(route, (1.0, 1.0, 1.0)), device=room.device)
    distance = ((near + start - contact) / stretch).norm(dim=1)
    at = near[torch.argsort(distance)] + start
    at = at[(at - contact).norm(dim=1) <= reach]
    used = maps[(slice(None), *at.T)].sum(0)
    left = (1 - used).clamp_min(0.0)
    before = left.cumsum(0) - left
    maps[(route, *at.T)] += torch.minimum(left, (voxels - before).clamp_min(0.0))
