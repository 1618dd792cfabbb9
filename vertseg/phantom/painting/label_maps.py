"""What the numbers of real label maps mean: names, levels and tissues; the one table of each scheme.

Names and numbers of TotalSegmentator are those of its task "total", version 2
(github.com/wasserth/TotalSegmentator, `totalsegmentator/map_to_binary.py`; Wasserthal et al., Radiol Artif
Intell 2023;5:e230024). VerSe's are the level numbers of `vertseg.labels`.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from vertseg.errors import ConfigError, InputError
from vertseg.labels import LEVEL_NAMES, TOTALSEGMENTATOR_LEVELS, VERTEBRA_LEVELS
from vertseg.volume import Volume

Scheme = Literal["totalsegmentator", "verse"]
SCHEMES: Final = ("totalsegmentator", "verse")

_NAMES: Final = """
spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right adrenal_gland_left
lung_upper_lobe_left lung_lower_lobe_left lung_upper_lobe_right lung_middle_lobe_right lung_lower_lobe_right
esophagus trachea thyroid_gland small_bowel duodenum colon urinary_bladder prostate kidney_cyst_left
kidney_cyst_right sacrum vertebrae_S1 vertebrae_L5 vertebrae_L4 vertebrae_L3 vertebrae_L2 vertebrae_L1
vertebrae_T12 vertebrae_T11 vertebrae_T10 vertebrae_T9 vertebrae_T8 vertebrae_T7 vertebrae_T6 vertebrae_T5
vertebrae_T4 vertebrae_T3 vertebrae_T2 vertebrae_T1 vertebrae_C7 vertebrae_C6 vertebrae_C5 vertebrae_C4
vertebrae_C3 vertebrae_C2 vertebrae_C1 heart aorta pulmonary_vein brachiocephalic_trunk
subclavian_artery_right subclavian_artery_left common_carotid_artery_right common_carotid_artery_left
brachiocephalic_vein_left brachiocephalic_vein_right atrial_appendage_left superior_vena_cava
inferior_vena_cava portal_vein_and_splenic_vein iliac_artery_left iliac_artery_right iliac_vena_left
iliac_vena_right humerus_left humerus_right scapula_left scapula_right clavicula_left clavicula_right
femur_left femur_right hip_left hip_right spinal_cord gluteus_maximus_left gluteus_maximus_right
gluteus_medius_left gluteus_medius_right gluteus_minimus_left gluteus_minimus_right autochthon_left
autochthon_right iliopsoas_left iliopsoas_right brain skull
rib_left_1 rib_left_2 rib_left_3 rib_left_4 rib_left_5 rib_left_6 rib_left_7 rib_left_8 rib_left_9
rib_left_10 rib_left_11 rib_left_12 rib_right_1 rib_right_2 rib_right_3 rib_right_4 rib_right_5 rib_right_6
rib_right_7 rib_right_8 rib_right_9 rib_right_10 rib_right_11 rib_right_12 sternum costal_cartilages
"""

TOTALSEGMENTATOR_NAMES: Final[dict[int, str]] = dict(enumerate(_NAMES.split(), start=1))
"""Class number (1-117) -> name, TotalSegmentator v2, task "total"."""

_OLDER_NUMBERS: Final = {118: 117}
"""Maps of the first v2 models carry the costal cartilages as 118; no class has that number today."""

_TISSUE_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "vertebra": ("vertebrae_",),
    "sacrum": ("sacrum", "vertebrae_S1"),
    "bone": ("humerus", "scapula", "clavicula", "femur", "hip", "skull", "rib_", "sternum"),
    "cartilage": ("costal_cartilages",),
    "muscle": ("gluteus", "autochthon", "iliopsoas"),
    "lung": ("lung_",),
    "airway": ("trachea",),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "kidney": ("kidney_right", "kidney_left"),
    "gland": ("pancreas", "adrenal", "thyroid", "prostate"),
    "fluid": ("gallbladder", "urinary_bladder", "kidney_cyst"),
    "bowel": ("stomach", "small_bowel", "duodenum", "colon"),
    "gullet": ("esophagus",),
    "cord": ("spinal_cord", "brain"),
    "heart": ("heart", "atrial_appendage", "pulmonary_vein"),
    "artery": ("aorta", "brachiocephalic_trunk", "subclavian", "common_carotid", "iliac_artery"),
    "vein": ("brachiocephalic_vein", "vena_cava", "portal_vein", "iliac_vena"),
}  # fmt: skip

SOFT_TISSUES: Final = tuple(name for name in _TISSUE_WORDS if name not in ("vertebra", "sacrum", "bone"))
"""Tissues that are painted before the bones, in this order."""


def tissue_of(name: str) -> str:
    """Tissue of a structure's name, such as "artery" of "aorta"; the longest word that fits decides."""
    fits = [(len(w), t) for t, words in _TISSUE_WORDS.items() for w in words if w in name]
    return max(fits)[1]


def _lookup(pairs: dict[int, int]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for number, value in pairs.items():
        table[number] = value
    return table


_LEVELS: Final[dict[str, NDArray[np.uint8]]] = {
    "totalsegmentator": _lookup(TOTALSEGMENTATOR_LEVELS),
    "verse": _lookup({n: n for n in LEVEL_NAMES}),
}


def checked(labels: Volume, scheme: str) -> Volume:
    """The label map in RAS as uint8 with today's numbers.

    Raises:
        ConfigError: no such scheme.
        InputError: the map is empty, holds numbers that the scheme does not know, or no vertebra.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"'{scheme}' is not a label scheme; known schemes are {', '.join(SCHEMES)}.")
    labels = labels.oriented("RAS")
    present = set(np.unique(labels.array).tolist()) - {0}
    if not present:
        raise InputError("The label map is empty; every voxel is 0.")
    known = set(LEVEL_NAMES) if scheme == "verse" else {*TOTALSEGMENTATOR_NAMES, *_OLDER_NUMBERS}
    unknown = sorted(present - known)
    if unknown:
        other = "totalsegmentator" if scheme == "verse" else "verse"
        raise InputError(
            f"The label map holds the numbers {', '.join(map(str, unknown[:8]))}, which the scheme '{scheme}' "
            f"does not know; if it follows another scheme, ask for that ('{other}')."
        )
    array = labels.array.astype(np.uint8)
    for old, new in _OLDER_NUMBERS.items():
        array[array == old] = new
    if not np.isin(_LEVELS[scheme][array[array > 0]], VERTEBRA_LEVELS).any():
        other = "totalsegmentator" if scheme == "verse" else "verse"
        raise InputError(
            f"The label map holds no vertebra under the scheme '{scheme}'; give one that does, or ask for the "
            f"scheme that it follows ('{other}')."
        )
    return Volume(array, labels.affine)


def level_map(labels: Volume, scheme: Scheme) -> Volume:
    """VerSe level numbers (sacrum included) of a checked map, uint8."""
    return labels.with_array(_LEVELS[scheme][labels.array])


def tissue_numbers(tissue: str, scheme: Scheme) -> tuple[int, ...]:
    """Class numbers of a tissue; VerSe masks have vertebrae and sacrum only."""
    if scheme == "verse":
        wanted = {"vertebra": VERTEBRA_LEVELS, "sacrum": tuple(set(LEVEL_NAMES) - set(VERTEBRA_LEVELS))}
        return wanted.get(tissue, ())
    return tuple(n for n, name in TOTALSEGMENTATOR_NAMES.items() if tissue_of(name) == tissue)
