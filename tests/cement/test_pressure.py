import torch

from vertseg.cement.pressure import Stencil, solve_pressure
from vertseg.cement.transport import Contacts, Flow, place_cement


def _bar(n: int, links: list[float]) -> Stencil:
    """A bar of n voxels along the last axis in a box of (3, 3, n + 2)."""
    row = torch.zeros(3, 3, n + 2)
    row[1, 1, 1:n] = torch.tensor(links)
    flat = row.reshape(1, -1)
    none = torch.zeros_like(flat)
    return Stencil((none, none, flat), (3 * (n + 2), n + 2, 1))


def _voxel(n: int, i: int) -> int:
    return 4 * (n + 2) + 1 + i


def test_pressure_along_a_bar_falls_by_flow_over_conductance():
    """Three units of flow in at one end, out at the other through a sink of 2: p = 1.5 + sum of 3 / link."""
    links = [1.0, 4.0, 0.5, 2.0]
    stencil = _bar(5, links)
    inflow, sink = torch.zeros(1, 63), torch.zeros(1, 63)
    inflow[0, _voxel(5, 0)], sink[0, _voxel(5, 4)] = 3.0, 2.0
    p = solve_pressure(stencil, sink, inflow, torch.zeros(1, 63), 1e-6)
    expected = [1.5 + sum(3.0 / g for g in links[i:]) for i in range(5)]
    got = p[0, _voxel(5, 0) : _voxel(5, 0) + 5]
    assert torch.allclose(got, torch.tensor(expected), rtol=1e-4)
    assert p[0, 0] == 0


def test_sites_of_a_batch_do_not_touch():
    links = torch.zeros(2, 63)
    links[:, _voxel(5, 0) : _voxel(5, 4)] = torch.tensor([[1.0], [10.0]])
    none = torch.zeros_like(links)
    inflow, sink = torch.zeros(2, 63), torch.zeros(2, 63)
    inflow[:, _voxel(5, 0)], sink[:, _voxel(5, 4)] = 1.0, 1.0
    p = solve_pressure(Stencil((none, none, links), (21, 7, 1)), sink, inflow, none.clone(), 1e-6)
    assert torch.allclose(p[:, _voxel(5, 0)], torch.tensor([5.0, 1.4]), rtol=1e-4)


def _line_flow(n: int, out: float) -> tuple[Flow, Contacts]:
    forward = torch.zeros(3, 3, n + 2)
    forward[1, 1, 1:n] = 1.0
    flat = forward.reshape(1, -1)
    source = torch.zeros_like(flat)
    source[0, _voxel(n, 0)] = 1.0
    none = torch.zeros_like(flat)
    contacts = Contacts(
        torch.zeros(1, dtype=torch.long), torch.tensor([_voxel(n, n - 1)]),
        torch.zeros(1, dtype=torch.long), torch.ones(1),
    )  # fmt: skip
    return Flow((none, none, flat), (3 * (n + 2), n + 2, 1), source, torch.tensor([out])), contacts


def test_cement_fills_one_voxel_after_the_other_and_then_leaves():
    flow, contacts = _line_flow(4, 1.0)
    capacity = torch.zeros_like(flow.source)
    capacity[0, _voxel(4, 0) : _voxel(4, 4)] = 1.0
    filled, left = place_cement(
        flow, contacts, torch.zeros_like(capacity), capacity, torch.tensor([[2.5]]), 1
    )
    assert filled[0, _voxel(4, 0) : _voxel(4, 4)].tolist() == [1.0, 1.0, 0.5, 0.0]
    assert float(left) == 0
    filled, left = place_cement(flow, contacts, filled, capacity, torch.tensor([[2.5]]), 1)
    assert torch.allclose(filled[0, _voxel(4, 0) : _voxel(4, 4)], torch.ones(4))
    assert abs(float(left) - 1.0) < 1e-5


def test_cement_without_a_way_out_stays_and_is_not_lost():
    flow, contacts = _line_flow(3, 0.0)
    capacity = torch.zeros_like(flow.source)
    capacity[0, _voxel(3, 0) : _voxel(3, 3)] = 1.0
    filled, left = place_cement(
        flow, contacts, torch.zeros_like(capacity), capacity, torch.tensor([[4.0]]), 1
    )
    assert abs(float(filled.sum()) - 4.0) < 1e-5
    assert float(left) == 0
