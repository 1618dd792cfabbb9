"""What the simulator is given of a vertebra, in numbers: the most that features of a scan could hold."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from vertseg.cement.openings import body_surface, openings_of
from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.permeability import kozeny_carman
from vertseg.cement.plan import CLEFT_ML, LESION_ML, TARGET_FORWARD
from vertseg.cement.routes import CORTEX_CANAL, CORTEX_OTHER, DISC
from vertseg.cement.site import InjectionSite, erode

GAPS: Final = {"canal": CORTEX_CANAL, "side": CORTEX_OTHER, "disc": DISC}

_FAR_MM: Final = 40.0


def site_features(site: InjectionSite) -> dict[str, float]:
    """Size, density, lesion, cleft, and gaps of the shell by where they lead; volumes in ml, lengths in mm.

    Distances are from where a cannula is aimed; `_FAR_MM` stands for no gap.
    """
    parameters = InjectionParameters()
    points = torch.nonzero(site.body).double() * site.spacing_mm
    centre, size = points.mean(0), np.sqrt(12.0) * points.std(0)
    inner = erode(site.body, 1)
    bone = site.bone_volume[inner]
    lesion = torch.zeros_like(site.body) if site.lesion is None else site.lesion
    features = {
        "body_ml": float(site.body.sum()) * site.voxel_ml,
        "width_mm": float(size[0]), "depth_mm": float(size[1]), "height_mm": float(size[2]),
        "bone_share": float(bone.mean()),
        "permeability": float(kozeny_carman(bone, parameters.reference_bone_volume).log().mean()),
        "lesion_ml": float(lesion.sum()) * site.voxel_ml,
        "cleft_ml": float(site.cleft.sum()) * site.voxel_ml,
        "foramen_mm": site.foramen_mm,
    }  # fmt: skip
    aim = centre + torch.tensor([0.0, TARGET_FORWARD, 0.0], dtype=torch.double) * size
    if features["cleft_ml"] >= CLEFT_ML:
        aim = torch.nonzero(site.cleft).double().mean(0) * site.spacing_mm
    elif features["lesion_ml"] >= LESION_ML:
        aim = 0.5 * (aim + torch.nonzero(lesion).double().mean(0) * site.spacing_mm)
    surface = body_surface(site)
    gaps = openings_of(site, [], surface, parameters)
    for name, route in GAPS.items():
        mine = gaps.route == route
        distance = (gaps.voxel[mine].double() * site.spacing_mm - aim).norm(dim=1)
        features |= {
            f"{name}_mm2": float(gaps.section_mm2[mine].sum()),
            f"{name}_conductance": float(torch.log1p(gaps.conductance_m4[mine].sum() * 1e12)),
            f"{name}_mm": float(distance.min()) if bool(mine.any()) else _FAR_MM,
        }
    return features


def feature_row(features: dict[str, float]) -> NDArray[np.float64]:
    """Values (F,) in the order of their names."""
    return np.array([features[name] for name in sorted(features)])
