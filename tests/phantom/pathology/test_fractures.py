"""Fractures: heights, fragments, lines, clefts, and what they leave untouched."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.phantom.sick import healthy, paint
from vertseg.labels import FINDINGS
from vertseg.phantom.pathology.disease import Cleft, Crack, Dent, Fracture, Fragment
from vertseg.phantom.pathology.fractures import (
    GRADES,
    burst_fracture,
    collapsed,
    draw_loss,
    osteoporotic_fracture,
)
from vertseg.phantom.types import Hidden
from vertseg.phantom.vertebra.deformation import deformed_distances
from vertseg.phantom.vertebra.distances import vertebra_distances

WALL = FINDINGS.index("posterior_wall_defect")


def test_collapse_takes_the_stated_share_where_its_kind_says() -> None:
    shape, _ = healthy()
    s = shape.sizes
    wedge = collapsed(shape, "wedge", 0.4, 0.0).sizes
    assert wedge["anterior_height"] == pytest.approx(0.6 * s["anterior_height"])
    assert wedge["height"] > 0.9 * s["height"]
    dip = collapsed(shape, "biconcave", 0.4, 0.0).sizes
    assert dip["middle_height"] == pytest.approx(0.6 * s["middle_height"])
    assert dip["anterior_height"] > 0.8 * s["anterior_height"]
    plana = collapsed(shape, "crush", 0.88, 0.0)
    assert plana.height_loss == 0.88
    assert max(plana.sizes[k] for k in ("height", "middle_height", "anterior_height")) < 0.25 * s["height"]
    assert plana.sizes["sound_height"] == s["height"]
    before, after = (0.5 * (x["height"] + x["anterior_height"]) for x in (s, plana.sizes))
    assert plana.sizes["lost_mm"] == pytest.approx(before - after)


def test_losses_cover_all_grades() -> None:
    rng = np.random.default_rng(0)
    losses = np.array([draw_loss(rng) for _ in range(2000)])
    assert losses.min() >= GRADES[0][1] and losses.max() <= 0.9
    for share, low, high in GRADES:
        assert ((losses >= low) & (losses < high)).mean() == pytest.approx(share, abs=0.04)


def test_posterior_elements_keep_their_size_when_the_body_collapses() -> None:
    sound = paint(lambda s: s)
    flat = paint(lambda s: collapsed(s, "crush", 0.85, 0.0))
    body = [int((p.sheet.tissue == 1).sum()) for p in (sound, flat)]
    arch = [int((p.sheet.tissue == 2).sum()) for p in (sound, flat)]
    assert body[1] < 0.4 * body[0]
    assert arch[1] == pytest.approx(arch[0], rel=0.15)


def test_unbroken_vertebra_keeps_its_distances() -> None:
    shape, _ = healthy()
    p = 20 * torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    plain, same = vertebra_distances(p, shape), deformed_distances(p, shape)
    none = deformed_distances(p, replace(shape, fracture=Fracture("wedge")))
    assert torch.equal(plain.body, same.body) and torch.equal(plain.posterior, same.posterior)
    assert torch.allclose(plain.body, none.body, atol=1e-5)


def test_dent_drives_one_endplate_in_by_its_depth() -> None:
    shape, _ = healthy()
    dent = Dent(1.0, 0.0, 0.0, (9.0, 9.0), 3.0)
    z = torch.linspace(-20, 20, 2001)
    p = torch.stack([torch.zeros_like(z), torch.zeros_like(z), z], -1)

    def ends(fracture: Fracture | None) -> tuple[float, float]:
        body = deformed_distances(p, replace(shape, fracture=fracture)).body
        inside = z[body <= 0]
        return float(inside.min()), float(inside.max())

    (low, high), (dented_low, dented_high) = ends(None), ends(Fracture("biconcave", (dent,)))
    assert dented_low == pytest.approx(low, abs=0.05)
    assert dented_high == pytest.approx(high - 3.0, abs=0.4)


def test_fragment_stands_in_the_canal_with_a_gap_in_the_wall_beside_it() -> None:
    fragment = Fragment(0.0, 9.0, 13.0, 12.0, 5.0, 1.6)
    before = paint(lambda s: s, 1.0)
    after = paint(lambda s: replace(s, fracture=Fracture("burst", fragment=fragment)), 1.0)
    moved = after.mine & ~before.mine & (after.sheet.tissue == 1)
    where = torch.nonzero(moved).double().numpy() @ after.canvas.grid.affine[:3, :3].T
    local = (where + after.canvas.grid.affine[:3, 3] - after.shape.centre_mm) @ after.shape.axes
    back = -0.5 * after.shape.sizes["depth"]
    assert len(local) > 200
    assert back - 7.0 < local[:, 1].min() < back - 3.5
    assert local[:, 2].mean() > 0 and np.abs(local[:, 0]).max() < 13
    assert int(after.finding(WALL).sum()) > 15
    assert float(after.sheet.wall_mm2[after.shape.level]) > 15
    assert not (after.finding(WALL) & ~after.mine).any()


def test_fracture_line_through_the_wall_has_its_area_and_is_dark() -> None:
    crack = Crack((3.0, -15.0, 0.0), (1.0, 0.0, 0.0), 1.6, "body", 30.0)
    before = paint(lambda s: s, 1.0)
    after = paint(lambda s: replace(s, fracture=Fracture("burst", cracks=(crack,))), 1.0)
    area = float(after.sheet.wall_mm2[after.shape.level])
    assert area == pytest.approx(1.6 * after.shape.sizes["height"], rel=0.25)
    mask = after.finding(WALL)
    assert float(after.hu[mask].mean()) < float(before.hu[mask].mean()) - 80


def test_cleft_holds_gas_and_is_hidden_from_the_findings() -> None:
    cleft = Cleft((0.0, 4.0, 2.0), (11.0, 8.0, 2.6), -750.0, 400.0)
    painted = paint(lambda s: replace(s, fracture=Fracture("wedge", cleft=cleft)), 1.0)
    mask = painted.hidden(Hidden.CLEFT)
    assert int(mask.sum()) > 300
    assert float(painted.hu[mask].mean()) < -450
    assert not painted.finding(slice(None)).any()  # type: ignore[arg-type]


def test_drawn_fractures_break_endplates_and_burst_ones_the_wall() -> None:
    rng = np.random.default_rng(5)
    for _ in range(2):
        burst = paint(lambda s: burst_fracture(s, rng))
        assert float(burst.sheet.wall_mm2[burst.shape.level]) > 3
        assert burst.hidden(Hidden.ENDPLATE_BREAK).any()
    shape, _ = healthy()
    drawn = [osteoporotic_fracture(shape, rng) for _ in range(200)]
    clefts = [d for d in drawn if d.fracture is not None and d.fracture.cleft is not None]
    assert 0.08 < len(clefts) / len(drawn) < 0.35
    assert all(d.height_loss >= 0.2 for d in clefts)
