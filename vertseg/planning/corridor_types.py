"""What is said of a cannula's corridor."""

from dataclasses import dataclass
from typing import Literal

from vertseg.planning.remark import Remark

Point = tuple[float, float, float]
Kind = Literal["transpedicular", "extrapedicular"]
Side = Literal["left", "right"]
Target = Literal["auto", "anterior_third", "lesion"]


@dataclass(frozen=True)
class CorridorAngles:
    """Direction of the way in, in degrees, each projected onto the plane that it is read in.

    Attributes:
        medial_deg: in the vertebra's axial plane, from its sagittal plane; positive toward the midline.
        cranial_deg: in the vertebra's sagittal plane, from its axial plane; positive where the tip points headward.
        scanner_medial_deg: as `medial_deg`, in the scanner's axial and sagittal planes (patient RAS).
        scanner_cranial_deg: as `cranial_deg`, in the scanner's planes.
    """

    medial_deg: float
    cranial_deg: float
    scanner_medial_deg: float
    scanner_cranial_deg: float


@dataclass(frozen=True)
class CorridorClearance:
    """Least distances in mm from the cannula's surface; negative inside; None where it cannot be measured.

    Attributes:
        canal_mm: to the spinal canal, which in the pedicle is its medial wall.
        lateral_mm: to the lateral surface of the pedicle.
        inferior_mm: to the pedicle's lower surface, under which the nerve leaves by the foramen.
        superior_mm: to the pedicle's upper surface.
        endplate_mm: to the nearer endplate, inside the body.
        wall_defect_mm: to the posterior wall's defect; None without one.
        lung_mm: to lung (air below -400 HU); None where none is in the vertebra's field.
        tip_to_anterior_mm: from the tip on along the cannula to the body's front, beyond which vessels lie.
        tip_to_left_mm: from the tip across to the body's left border, where the aorta mostly lies.
    """

    canal_mm: float
    lateral_mm: float | None
    inferior_mm: float | None
    superior_mm: float | None
    endplate_mm: float | None
    wall_defect_mm: float | None
    lung_mm: float | None
    tip_to_anterior_mm: float | None
    tip_to_left_mm: float | None


@dataclass(frozen=True)
class Corridor:
    """A straight way for a cannula, or why there is none. Points are world RAS mm.

    The aorta cannot be told from other soft tissue by its HU, so no distance to it is given: keep to the body.

    Attributes:
        kind: "transpedicular", or "extrapedicular" (costovertebral, beside the pedicle).
        side: of the patient.
        feasible: whether a cannula fits with its margins; the fields below are None where no way was found.
        reason: why it is not feasible; None where it is.
        entry_skin_mm: on the skin; None where the field of view cuts it.
        entry_bone_mm: where the cannula first meets this vertebra's bone.
        target_mm: where its tip comes to lie.
        target_in: "anterior_third" or "lesion".
        skin_to_bone_mm, bone_to_target_mm, length_mm: lengths; the whole one from the skin.
        gauge: largest of `gauges.GAUGES` that leaves the margin of bone.
        diameter_mm: its outer diameter; clearances are those of this cannula, of the thinnest where none fits.
        margin_mm: bone that has to stay around it.
        score: what corridors are ordered by, larger is better (see `corridor_search`).
        warnings: what to look at before going this way.
        pedicle_width_mm: the pedicle on this side at its narrowest, in the vertebra's axial plane.
    """

    kind: Kind
    side: Side
    feasible: bool
    reason: Remark | None = None
    entry_skin_mm: Point | None = None
    entry_bone_mm: Point | None = None
    target_mm: Point | None = None
    target_in: Literal["anterior_third", "lesion"] | None = None
    angles: CorridorAngles | None = None
    skin_to_bone_mm: float | None = None
    bone_to_target_mm: float | None = None
    length_mm: float | None = None
    gauge: str | None = None
    diameter_mm: float | None = None
    margin_mm: float | None = None
    clearance: CorridorClearance | None = None
    score: float | None = None
    warnings: tuple[Remark, ...] = ()
    pedicle_width_mm: float | None = None
