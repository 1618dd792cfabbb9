"""Gaps in the shell: holes of known area in the walls of a drawn cube."""

import numpy as np
import pytest
import torch
from torch import Tensor

from vertseg.labels import FINDINGS
from vertseg.nets.leak_features import body_place
from vertseg.nets.leak_gaps import gaps
from vertseg.nets.leak_names import WALLS, gap_names
from vertseg.nets.pooling import highest, lowest

LOW, HIGH = 8, 24
HOLES = {
    "upper_endplate": (slice(13, 19), slice(13, 19), slice(22, 24)),
    "lower_endplate": (slice(13, 19), slice(13, 19), slice(8, 10)),
    "posterior_wall": (slice(13, 19), slice(8, 10), slice(13, 19)),
    "anterior_wall": (slice(13, 19), slice(22, 24), slice(13, 19)),
    "side_wall": (slice(8, 10), slice(13, 19), slice(13, 19)),
}
"""Two layers deep and six voxels square."""


def _cube() -> tuple[Tensor, Tensor]:
    """A body of 16^3 voxels with cortex of 2 voxels at 1.2, marrow at 0.4 and soft tissue at 0 (normalised)."""
    body = torch.zeros(1, 1, 32, 32, 32)
    body[..., LOW:HIGH, LOW:HIGH, LOW:HIGH] = 1
    image = 1.2 * body
    image[..., LOW + 2 : HIGH - 2, LOW + 2 : HIGH - 2, LOW + 2 : HIGH - 2] = 0.4
    return image, body


def _findings() -> Tensor:
    return torch.zeros(1, len(FINDINGS), 32, 32, 32)


def _measured(image: Tensor, body: Tensor, findings: Tensor) -> dict[str, float]:
    values = gaps(image, body, findings, body_place(body)[0])[0].tolist()
    return dict(zip(gap_names(), values, strict=True))


@pytest.mark.parametrize("wall", WALLS)
def test_a_hole_is_measured_in_its_own_wall(wall: str) -> None:
    """Six by six voxels without cortex: an area of 36 there and none elsewhere, a patch of 5 wholly dark."""
    image, body = _cube()
    whole = _measured(image, body, _findings())
    image[(0, 0, *HOLES[wall])] = 0.1
    holed = _measured(image, body, _findings())
    area = {w: float(np.expm1(holed[f"{w}_dark_0.5"]) - np.expm1(whole[f"{w}_dark_0.5"])) for w in WALLS}
    assert area.pop(wall) == pytest.approx(36, rel=0.1)
    assert max(area.values()) < 1
    assert whole[f"{wall}_hole_dark_5"] < 0.1
    assert holed[f"{wall}_hole_dark_5"] > 0.9


def test_a_scattered_loss_is_no_hole() -> None:
    """The same area in single voxels three apart: as dark in sum, but no patch of it."""
    image, body = _cube()
    image[0, 0, LOW + 1 : HIGH : 3, LOW + 1 : HIGH : 3, HIGH - 2 : HIGH] = 0.1
    found = _measured(image, body, _findings())
    assert np.expm1(found["upper_endplate_dark_0.5"]) > 15
    assert found["upper_endplate_hole_dark_5"] < 0.3


def test_a_lesion_is_measured_where_it_meets_the_wall() -> None:
    image, body = _cube()
    findings = _findings()
    findings[(0, FINDINGS.index("lytic_lesion"), *HOLES["side_wall"])] = 1.0
    found = _measured(image, body, findings)
    assert np.expm1(found["side_wall_eaten"]) == pytest.approx(36, rel=0.1)
    assert found["upper_endplate_eaten"] < 0.5


def test_mirrored_walls_are_measured_alike() -> None:
    generator = torch.Generator().manual_seed(5)
    _, body = _cube()
    image = torch.randn(1, 1, 32, 32, 32, generator=generator)
    findings = torch.rand(1, len(FINDINGS), 32, 32, 32, generator=generator)
    place = body_place(body)[0]
    there = gaps(image, body, findings, place)
    back = gaps(image.flip(2), body.flip(2), findings.flip(2), body_place(body.flip(2))[0])
    assert torch.allclose(there, back, atol=1e-3)


@pytest.mark.parametrize("width", [3, 5, 7])
def test_a_maximum_axis_by_axis_is_that_of_the_cube(width: int) -> None:
    values = torch.randn(2, 1, 9, 10, 11, generator=torch.Generator().manual_seed(width))
    assert torch.equal(highest(values, width), torch.nn.functional.max_pool3d(values, width, 1, width // 2))
    assert torch.equal(lowest(values, width), -highest(-values, width))
