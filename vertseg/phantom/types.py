"""What a phantom is made of and what comes out of it."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from vertseg.phantom.pathology.disease import (
    CementFill,
    Fracture,
    Lesion,
    SchmorlNode,
    Screws,
    WallHole,
)
from vertseg.volume import Volume

__all__ = [
    "Anatomy", "Array", "CementFill", "ExamineCrop", "Field", "Fracture", "Hidden", "Lesion", "PhantomScan",
    "PhantomVertebra", "ScanConfig", "SchmorlNode", "Screws", "VertebraShape", "WallHole",
]  # fmt: skip

Array = npt.NDArray[np.float64]
Field = Literal["lumbar", "thoracic", "whole", "random"]


class Hidden(IntEnum):
    """Masks that no network learns but that the injection simulator and the streak model need.

    `OPEN_CORTEX` is the expected shell of a vertebra where its cortex is missing, on any side; `CLEFT` an
    intravertebral cleft; `ENDPLATE_BREAK` the shell of a broken endplate; `METAL` screws and rods.
    """

    OPEN_CORTEX = 0
    CLEFT = 1
    ENDPLATE_BREAK = 2
    METAL = 3


@dataclass(frozen=True)
class VertebraShape:
    """One vertebra of an anatomy: pose, sizes in mm and pathology.

    Attributes:
        centre_mm: (3,) body centre in world RAS.
        axes: (3, 3) columns right, anterior, up in world RAS.
        sizes: morphometry of this vertebra (see `patient.morphometry.LEVEL_SIZES`), after variation.
        height_loss: share of the body height lost, at the worst of anterior, middle and posterior.
        rib_mm: length of its ribs; 0 for none.
        seed: of what is irregular about it.
    """

    level: int
    centre_mm: Array
    axes: Array
    sizes: dict[str, float]
    height_loss: float = 0.0
    lesions: tuple[Lesion, ...] = ()
    wall_hole: WallHole | None = None
    rib_mm: float = 0.0
    seed: int = 0
    fracture: Fracture | None = None
    schmorl: tuple[SchmorlNode, ...] = ()
    cement: CementFill | None = None
    screws: Screws | None = None


@dataclass(frozen=True)
class Anatomy:
    """A whole patient, in numbers: every structure is an implicit surface of these.

    Attributes:
        vertebrae: from head to foot, in patient mm (RAS).
        sacrum_centre_mm: (3,) middle of the sacrum's endplate.
        sacrum_axes: (3, 3) columns right, anterior, up.
        trunk: sizes in mm, and shares, of the soft tissue by name.
        hu: attenuation by tissue.
        seed: draws whatever else the painters need.
        appearance: strength (0 to 1) with which the image's intensities are randomised.
    """

    vertebrae: tuple[VertebraShape, ...]
    sacrum_centre_mm: Array
    sacrum_axes: Array
    trunk: dict[str, float]
    hu: dict[str, float]
    seed: int
    appearance: float = 0.0


@dataclass(frozen=True)
class ScanConfig:
    """How a phantom scan is taken.

    Attributes:
        field: part of the spine in view.
        spacing_mm: voxel spacing (x, y, z); None draws one as a clinic has.
        slice_mm: slice thickness; None follows the spacing.
        pathology: 1 for the usual share of sick patients, 0 for healthy bones.
        appearance: strength of the randomised attenuation, 0 (textbook values) to 1.
        case: "random", or "demo" for one fixed set of findings whatever `pathology`.
        device: torch device that renders.
    """

    field: Field = "lumbar"
    spacing_mm: tuple[float, float, float] | None = None
    slice_mm: float | None = None
    pathology: float = 1.0
    appearance: float = 1.0
    case: Literal["random", "demo"] = "random"
    device: str = "cpu"


@dataclass(frozen=True)
class PhantomVertebra:
    """Truth of one vertebra in a scan: body centre, axes (columns right, anterior, up), measures.

    Attributes:
        height_loss: share of the body height lost, at the worst of anterior, middle and posterior.
        lytic_ml, sclerotic_ml: volume of the masks in this vertebra.
        wall_defect_mm2: surface of the posterior wall without cortex.
        cement_ml: this vertebra's cement, wherever it lies.
        leaked_ml: the part of it outside of this vertebra.
        cleft_ml: volume of an intravertebral cleft.
        fracture: `disease.FractureKind`, "" for none.
    """

    level: int
    centroid_mm: Array
    axes: Array
    height_loss: float
    lytic_ml: float
    wall_defect_mm2: float
    sclerotic_ml: float = 0.0
    cement_ml: float = 0.0
    leaked_ml: float = 0.0
    cleft_ml: float = 0.0
    fracture: str = ""


@dataclass(frozen=True)
class PhantomScan:
    """A rendered scan with all its labels on one RAS grid.

    Attributes:
        hu: float32 HU.
        level: uint8 VerSe level numbers, sacrum included.
        tissue: uint8 `vertseg.labels.LocateClass` numbers.
        findings: one uint8 mask for each of `vertseg.labels.FINDINGS`.
    """

    hu: Volume
    level: Volume
    tissue: Volume
    findings: dict[str, Volume]
    vertebrae: tuple[PhantomVertebra, ...]
    seed: int


@dataclass(frozen=True)
class ExamineCrop:
    """One vertebra's training crop.

    Attributes:
        image: (X, Y, Z) float32 HU.
        tissue: (X, Y, Z) uint8 `vertseg.labels.Tissue` of this vertebra.
        marker: (X, Y, Z) float32 in [0, 1], this vertebra as the locate network would mark it.
        findings: (F, X, Y, Z) uint8 in the order of `vertseg.labels.FINDINGS`.
        leak: (4,) float32 of 0 and 1 by `vertseg.labels.LEAK_ROUTES`, by the injection simulator;
            NaN where nothing was injected.
        plan: (3,) float32 volume in ml, viscosity index, approach index.
    """

    image: npt.NDArray[np.float32]
    tissue: npt.NDArray[np.uint8]
    marker: npt.NDArray[np.float32]
    findings: npt.NDArray[np.uint8]
    level: int
    leak: npt.NDArray[np.float32]
    plan: npt.NDArray[np.float32]
    seed: int = 0
