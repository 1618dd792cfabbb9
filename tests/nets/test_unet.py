import pytest
import torch

from vertseg.labels import FINDINGS, LEAK_ROUTES, N_LEVELS, LocateClass, Tissue
from vertseg.nets.unet import ExamineNet, LocateNet, NetSpec, build_network

SMALL = (8, 8, 16)


def test_locate_heads_have_the_labels_channels_at_full_size() -> None:
    net = build_network(NetSpec("locate", SMALL))
    assert isinstance(net, LocateNet)
    out = net(torch.randn(2, 1, 16, 24, 32))
    assert out["tissue"].shape == (2, len(LocateClass), 16, 24, 32)
    assert out["level"].shape == (2, N_LEVELS, 16, 24, 32)
    assert out["offset"].shape == (2, 3, 16, 24, 32)


def test_upsampled_offsets_fit_the_half_resolution_targets() -> None:
    """A field linear in position, given at block middles 2 j + 0.5, must come back exactly at full resolution."""
    net = build_network(NetSpec("locate", SMALL))
    assert isinstance(net, LocateNet)
    middles = torch.arange(8.0) * 2 + 0.5
    field = torch.stack(torch.meshgrid(middles, middles, middles, indexing="ij"))[None]
    net.heads = lambda x: {"tissue": x, "level": torch.zeros(1, 1, 8, 8, 8), "offset": field}  # type: ignore[method-assign]
    offset = net(torch.zeros(1))["offset"]
    voxels = torch.arange(16.0)
    expected = torch.stack(torch.meshgrid(voxels, voxels, voxels, indexing="ij"))[None]
    inner = (..., *[slice(1, -1)] * 3)
    assert torch.allclose(offset[inner], expected[inner], atol=1e-4)


def test_examine_heads_have_the_labels_channels() -> None:
    net = build_network(NetSpec("examine", SMALL))
    assert isinstance(net, ExamineNet)
    out = net(torch.randn(2, 2, 16, 16, 16), torch.full((2, 3), float("nan")))
    assert out["tissue"].shape == (2, len(Tissue), 16, 16, 16)
    assert out["findings"].shape == (2, len(FINDINGS), 16, 16, 16)
    assert out["leak"].shape == (2, len(LEAK_ROUTES))
    assert not out["leak"].isnan().any()


@pytest.mark.parametrize(("filters", "multiple"), [(SMALL, 4), ((8, 24, 48, 96, 160), 16)])
def test_input_sizes_are_multiples(filters: tuple[int, ...], multiple: int) -> None:
    assert NetSpec("locate", filters).multiple == multiple


def test_weights_are_channels_last() -> None:
    net = build_network(NetSpec("locate", SMALL))
    weight = net.unet.down[0].conv2.conv.weight
    assert weight.is_contiguous(memory_format=torch.channels_last_3d)
