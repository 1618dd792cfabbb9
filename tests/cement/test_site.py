import numpy as np
import pytest
import torch

from vertseg.cement.analytic import EllipticVertebra, elliptic_site
from vertseg.cement.site import bone_volume_from_hu, canal_region, dilate, erode, site_from_labels
from vertseg.errors import InputError
from vertseg.labels import Tissue


def _labels(spacing_mm: float = 1.5):
    site = elliptic_site(EllipticVertebra(), spacing_mm)
    tissue = torch.where(site.body, int(Tissue.BODY), 0)
    tissue[site.posterior] = int(Tissue.POSTERIOR)
    shell = site.body & ~erode(site.body, 1)
    hu = torch.where(site.body, 112.0, 20.0)
    hu[shell] = 700.0
    return site, hu.numpy(), tissue.numpy().astype(np.uint8)


def test_bone_share_of_published_attenuations():
    share = bone_volume_from_hu(torch.tensor([-80.0, 0.0, 140.0, 1400.0, 3000.0]))
    assert torch.allclose(share, torch.tensor([0.0, 0.0, 0.1, 1.0, 1.0]), atol=1e-6)


def test_marrow_space_does_not_count_the_shell():
    """A shell of 700 HU around a body of 112 HU: the marrow space holds 8 % bone up to its rim."""
    _, hu, tissue = _labels()
    site = site_from_labels(hu, tissue, {}, 1.5)
    assert torch.allclose(site.bone_volume[site.body], torch.tensor(0.08), atol=1e-4)
    assert not site.open_cortex.any()
    assert not site.cleft.any()


def test_gas_is_a_cleft_and_a_soft_shell_in_a_lesion_is_open():
    drawn, hu, tissue = _labels()
    shell = drawn.body & ~erode(drawn.body, 1)
    lesion = np.zeros(hu.shape, np.uint8)
    front = np.argwhere(shell.numpy())
    tip = front[front[:, 1].argmax()]
    window = tuple(slice(n - 3, n + 4) for n in tip)
    lesion[window] = 1
    hu[window] = np.where(drawn.body.numpy()[window], 30.0, hu[window])
    middle = tuple(int(n) for n in torch.nonzero(drawn.body).float().mean(0))
    hu[middle] = -400.0
    site = site_from_labels(hu, tissue, {"lytic_lesion": lesion}, 1.5)
    assert int(site.cleft.sum()) == 1
    assert site.cleft[middle]
    expected = torch.from_numpy(lesion > 0) & shell
    assert torch.equal(site.open_cortex, expected)


def test_wall_defect_opens_the_cortex_beside_a_given_mask():
    drawn, hu, tissue = _labels()
    masks = {"open_cortex": np.zeros(hu.shape, bool), "posterior_wall_defect": np.zeros(hu.shape, bool)}
    inside = np.argwhere(drawn.body.numpy())
    masks["posterior_wall_defect"][tuple(inside[0])] = True
    site = site_from_labels(hu, tissue, masks, 1.5)
    assert torch.nonzero(site.open_cortex).tolist() == [inside[0].tolist()]


def test_canal_lies_behind_the_body_between_the_pedicles():
    site = elliptic_site(EllipticVertebra(), 1.5)
    canal = canal_region(site.body, site.posterior, 1.5)
    assert not (canal & (site.body | site.posterior)).any()
    at = torch.nonzero(canal).float()
    body = torch.nonzero(site.body).float()
    assert at[:, 1].max() < body[:, 1].mean()
    assert abs(float(at[:, 0].mean() - body[:, 0].mean())) < 1
    assert 20 <= float(at[:, 0].max() - at[:, 0].min() + 1) * 1.5 <= 24


def test_wrong_input_is_told():
    _, hu, tissue = _labels()
    with pytest.raises(InputError, match="no mask"):
        site_from_labels(hu, tissue, {"lesion": tissue}, 1.5)
    with pytest.raises(InputError, match="one grid"):
        site_from_labels(hu, tissue[1:], {}, 1.5)
    with pytest.raises(InputError, match="no vertebral body"):
        site_from_labels(hu, np.zeros_like(tissue), {}, 1.5)


def test_grow_and_shrink_are_each_others_inverse_on_a_cube():
    cube = torch.zeros(12, 12, 12, dtype=torch.bool)
    cube[3:9, 3:9, 3:9] = True
    assert int(dilate(cube, 1).sum()) == 512
    assert torch.equal(erode(dilate(cube, 2), 2), cube)
    assert int(erode(torch.ones(4, 4, 4, dtype=torch.bool), 1).sum()) == 8
