"""Why a corridor is not feasible, and what to look at before going one that is."""

from typing import Final

from vertseg.labels import CERVICAL
from vertseg.planning.corridor_fields import CorridorFields
from vertseg.planning.corridor_margins import pedicle_share
from vertseg.planning.corridor_search import CRANIAL_DEG, MEDIAL_DEG, Found, Tips, pedicle
from vertseg.planning.corridor_types import CorridorClearance, Kind, Side
from vertseg.planning.corridor_ways import Ways
from vertseg.planning.gauges import BONE_MARGIN_MM, GAUGES
from vertseg.planning.remark import Remark
from vertseg.planning.upright import UprightVertebra

CUT: Final = Remark(
    "cut_by_field",
    "The field of view cuts this vertebra, so that walls may be missing; check the way on the scan.",
)

_NEAR_DEFECT_MM: Final = 3.0
_NEAR_LUNG_MM: Final = 5.0
_STEEP_DEG: Final = 25.0
_OPEN_CANAL: Final = 0.7


def not_planned(vertebra: UprightVertebra) -> Remark:
    """Why no way is looked for at all."""
    if vertebra.level in CERVICAL:
        return Remark(
            "cervical",
            f"{vertebra.name} is not reached from behind; cervical bodies are entered from the front, which is not planned here.",
        )
    if not vertebra.body.any():
        return Remark(
            "no_body", f"No body of {vertebra.name} was segmented, so that there is nothing to aim at."
        )
    return Remark("level", f"No cannula is planned for {vertebra.name}.")


def infeasible(
    fields: CorridorFields, asked: tuple[Kind, Side, float], tips: Tips | None, found: Found | None
) -> Remark:
    """Why no cannula fits, of the best way found or of none."""
    kind, side, sign = asked
    need = GAUGES[-1].outer_mm / 2 + BONE_MARGIN_MM
    thinnest = f"the thinnest cannula ({GAUGES[-1].name}, {GAUGES[-1].outer_mm:.1f} mm)"
    if tips is None:
        return Remark(
            "body_too_flat",
            "The anterior third of the body is too flat or too little seen to hold a cannula's tip.",
        )
    bone = pedicle(fields, sign)
    if bone is None:
        return Remark("pedicle_not_seen", f"No {side} pedicle was segmented between canal and body.")
    if kind == "transpedicular" and bone.width_mm < 2 * need:
        return Remark(
            "pedicle_too_narrow",
            f"The {side} pedicle is {bone.width_mm:.1f} mm wide at its narrowest; {thinnest} with "
            f"{BONE_MARGIN_MM:.1f} mm of bone on each side needs {2 * need:.1f} mm.",
            {"pedicle_mm": bone.width_mm, "needed_mm": round(2 * need, 2)},
        )
    if found is None:
        low, high = MEDIAL_DEG[kind]
        return Remark(
            "no_straight_way",
            f"No straight way from the {side} reaches the target within {low:.0f} to {high:.0f} degrees to the "
            f"sagittal and {CRANIAL_DEG:.0f} degrees to the axial plane.",
        )
    room = max(found.room_mm, 0.0)
    return Remark(
        "too_little_room",
        f"The best straight way from the {side} leaves {room:.1f} mm around its axis; {thinnest} with its margin "
        f"needs {need:.1f} mm.",
        {"room_mm": round(room, 2), "needed_mm": round(need, 2)},
    )


def warnings(
    fields: CorridorFields,
    ways: Ways,
    asked: tuple[Kind, Side, float],
    margins: CorridorClearance,
    skin_cut: bool,
) -> tuple[Remark, ...]:
    """What to look at before going the first of the ways."""
    side, masks = asked[1], fields.vertebra.masks
    struck, lesion = float(ways.struck_mm[0]), pedicle_share(fields, ways, masks["lytic_lesion"])
    outside = float(ways.outer_bone_mm[0])
    steep = abs(float(ways.cranial_deg[0]))
    said = [
        (struck > 0, Remark(
            "neighbour_bone", f"The way meets {struck:.0f} mm of a neighbouring vertebra's bone.", {"length_mm": struck}
        )),
        (lesion > 0.15, Remark(
            "lesion_in_pedicle",
            f"{100 * lesion:.0f} % of the way through the {side} pedicle runs in lytic bone: its walls may not guide the "
            "cannula.", {"share": round(lesion, 2)},
        )),
        (pedicle_share(fields, ways, masks["cement"]) > 0, Remark(
            "cement_in_pedicle", f"There is cement in the {side} pedicle on the way."
        )),
        (margins.wall_defect_mm is not None and margins.wall_defect_mm < _NEAR_DEFECT_MM, Remark(
            "near_wall_defect", f"The cannula passes {margins.wall_defect_mm or 0.0:.1f} mm from the posterior wall's defect.",
            {"distance_mm": margins.wall_defect_mm or 0.0},
        )),
        (margins.lung_mm is not None and margins.lung_mm < _NEAR_LUNG_MM, Remark(
            "near_lung", f"The cannula passes {margins.lung_mm or 0.0:.1f} mm from lung.",
            {"distance_mm": margins.lung_mm or 0.0},
        )),
        (asked[0] == "extrapedicular" and outside > 3.0, Remark(
            "through_transverse_process",
            f"Beside the pedicle the way runs through {outside:.0f} mm of this vertebra's transverse process.",
            {"length_mm": outside},
        )),
        (steep > _STEEP_DEG, Remark(
            "steep", f"The way is {steep:.0f} degrees steep to the vertebra's axial plane.", {"angle_deg": round(steep, 1)}
        )),
        (fields.canal.closed < _OPEN_CANAL, Remark(
            "canal_open",
            "Bone bounds the canal only in part at the pedicles; its outline there is taken from other slices.",
            {"closed_share": round(fields.canal.closed, 2)},
        )),
        (skin_cut, Remark("skin_not_seen", "The field of view cuts the skin on this way; its entry there is not known.")),
    ]  # fmt: skip
    return tuple(remark for holds, remark in said if holds)
