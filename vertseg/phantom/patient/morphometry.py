"""Sizes of the vertebral bodies, pedicles, canal, discs and reach of the processes, by level.

Body width, depth (superior endplate) and posterior height, pedicles and canal width: Panjabi et al., Spine
1991;16:888-901 (thoracic), 1991;16:861-9 (cervical) and 1992;17:299-306 (lumbar); pedicle angles: Zindrick et
al., Spine 1987;12:160-6. Those are cadavers: living adults' bodies are taller (posterior height of L5 26.3
against 22.9 mm, L5 CT cohort of Int J Spine Surg, table 6; dry T2 and T9 17.6 and 20.5 against 15.6 and 19.3 mm,
Egwu et al., J Anat Soc India 2019;68:110-8), whence `LIVING_HEIGHT_FACTOR`, and the bony canal shallower on CT
(15.6 mm at L5, same cohort, against 18.8), so the canal depths are CT's. Reach and drop of the spinous
processes, counted from the posterior wall, are rounded from adult CT label maps. Disc heights are rounded
from anatomy texts.
"""

from typing import Final

from vertseg.labels import LEVEL_NUMBERS

COLUMNS: Final = (
    "width", "depth", "height", "disc", "pedicle_width", "pedicle_height", "pedicle_angle",
    "canal_width", "canal_depth", "transverse_span", "spinous_length", "spinous_drop",
)  # fmt: skip

_ROWS: Final[dict[str, tuple[float, ...]]] = {
    #      width depth height disc pedw pedh angle canw cand tspan splen drop
    "C1": (16.0, 10.0, 10.0, 2.0, 7.0, 8.0, 20.0, 28.0, 20.0, 74.0, 8.0, 0.0),
    "C2": (16.5, 14.5, 19.0, 5.0, 7.5, 9.0, 30.0, 24.0, 18.0, 52.0, 28.0, 8.0),
    "C3": (16.5, 15.3, 11.6, 5.0, 5.6, 7.4, 40.0, 23.0, 15.0, 50.0, 27.0, 9.0),
    "C4": (17.2, 15.5, 11.4, 5.0, 5.4, 7.4, 44.0, 23.5, 14.5, 50.0, 27.0, 9.0),
    "C5": (18.0, 15.6, 11.4, 5.2, 5.6, 7.0, 44.0, 24.5, 14.5, 52.0, 28.0, 10.0),
    "C6": (19.5, 16.4, 10.9, 5.5, 6.0, 7.3, 41.0, 25.0, 14.8, 54.0, 33.0, 11.0),
    "C7": (22.0, 17.6, 12.8, 5.5, 6.6, 7.5, 36.0, 24.0, 14.8, 62.0, 40.0, 13.0),
    "T1": (25.0, 18.0, 14.1, 5.0, 8.3, 9.6, 27.0, 21.8, 15.0, 74.0, 38.5, 13.0),
    "T2": (25.0, 19.6, 15.6, 4.6, 8.0, 11.4, 21.0, 19.0, 14.6, 68.0, 39.5, 19.5),
    "T3": (25.0, 22.0, 15.7, 4.4, 6.6, 11.8, 17.0, 18.0, 15.0, 64.0, 38.5, 21.5),
    "T4": (25.2, 23.3, 16.2, 4.4, 5.5, 11.9, 14.0, 17.2, 15.2, 62.0, 36.5, 26.5),
    "T5": (26.0, 24.3, 16.4, 4.4, 5.3, 11.9, 12.0, 17.2, 15.2, 62.0, 34.5, 29.5),
    "T6": (27.2, 26.0, 17.4, 4.6, 5.5, 12.2, 10.0, 17.3, 15.4, 61.0, 35.0, 31.5),
    "T7": (28.6, 27.4, 18.2, 4.8, 5.9, 12.1, 9.0, 17.3, 15.2, 60.0, 35.5, 30.5),
    "T8": (30.0, 27.9, 18.7, 5.0, 6.7, 12.5, 8.0, 17.7, 15.0, 60.0, 37.5, 29.0),
    "T9": (31.2, 29.3, 19.3, 5.2, 7.4, 13.9, 8.0, 17.9, 15.0, 59.0, 38.5, 25.0),
    "T10": (33.0, 30.5, 20.2, 5.8, 8.0, 14.9, 5.0, 18.2, 15.0, 57.0, 38.5, 16.5),
    "T11": (36.0, 31.9, 21.3, 6.6, 8.6, 16.8, 2.0, 19.4, 15.4, 52.0, 39.0, 11.5),
    "T12": (39.5, 32.8, 22.7, 7.6, 8.6, 16.5, 2.0, 22.2, 16.4, 48.0, 42.5, 7.5),
    "T13": (40.5, 33.5, 23.2, 7.8, 8.6, 16.0, 5.0, 22.5, 16.6, 58.0, 44.0, 7.0),
    "L1": (42.0, 34.1, 23.8, 8.4, 8.6, 15.9, 10.0, 23.7, 16.6, 74.0, 45.0, 7.0),
    "L2": (43.5, 34.6, 24.3, 9.6, 8.9, 15.0, 12.0, 23.8, 16.2, 80.0, 46.5, 5.5),
    "L3": (45.5, 35.2, 24.3, 10.8, 10.2, 14.4, 14.0, 24.3, 15.8, 90.0, 45.0, 4.5),
    "L4": (47.5, 35.5, 24.1, 11.4, 12.6, 15.5, 18.0, 25.4, 15.8, 87.0, 43.0, 3.5),
    "L5": (50.0, 35.0, 22.9, 10.6, 16.5, 17.0, 28.0, 27.1, 16.0, 92.0, 38.0, 2.5),
    "L6": (50.5, 35.0, 22.5, 9.0, 16.5, 17.0, 28.0, 28.0, 16.0, 94.0, 36.0, 3.0),
}

LEVEL_SIZES: Final[dict[int, dict[str, float]]] = {
    LEVEL_NUMBERS[name]: dict(zip(COLUMNS, row, strict=True)) for name, row in _ROWS.items()
}
"""Level number -> sizes in mm and degrees."""

LIVING_HEIGHT_FACTOR: Final = 1.15
"""Vertebral bodies of living adults on CT against the cadaver heights of the tables."""

_WEDGE: Final[dict[str, float]] = {
    "C1": 1.0, "C2": 1.0, "C3": 0.98, "C4": 0.97, "C5": 0.97, "C6": 0.97, "C7": 0.97, "T1": 0.96, "T2": 0.96,
    "T3": 0.95, "T4": 0.95, "T5": 0.94, "T6": 0.94, "T7": 0.94, "T8": 0.95, "T9": 0.96, "T10": 0.95, "T11": 0.94,
    "T12": 0.94, "T13": 0.95, "L1": 0.95, "L2": 0.98, "L3": 1.02, "L4": 1.06, "L5": 1.15, "L6": 1.17,
}  # fmt: skip
WEDGE: Final[dict[int, float]] = {LEVEL_NUMBERS[n]: w for n, w in _WEDGE.items()}
"""Anterior over posterior body height: kyphotic from T1 to L2 with a peak at T11-L1, lordotic below.

Masharawi et al., Clin Anat 2008;21:46-54; L5 30.3 over 26.3 mm on CT (Int J Spine Surg, table 6).
"""

_DENSITY: Final[dict[str, float]] = {
    "C1": 1.5, "C2": 1.5, "C3": 1.7, "C4": 1.7, "C5": 1.7, "C6": 1.5, "C7": 1.3, "T1": 1.25, "T2": 1.22,
    "T3": 1.19, "T4": 1.16, "T5": 1.13, "T6": 1.11, "T7": 1.09, "T8": 1.07, "T9": 1.06, "T10": 1.05, "T11": 1.03,
    "T12": 1.02, "T13": 1.0, "L1": 1.0, "L2": 0.98, "L3": 0.97, "L4": 0.97, "L5": 0.98, "L6": 0.98,
}  # fmt: skip
DENSITY: Final[dict[int, float]] = {LEVEL_NUMBERS[n]: d for n, d in _DENSITY.items()}
"""Trabecular density over L1's: C2 1.5, C5 1.7, T12 1.0, L4 0.97 by QCT (J Comput Assist Tomogr 2001;25:146-50)."""

_TILT: Final[dict[str, float]] = {
    "sacrum": 40.0, "L6": 24.0, "L5": 19.0, "L4": 7.0, "L3": -2.0, "L2": -8.0, "L1": -11.0,
    "T13": -12.0, "T12": -12.0, "T11": -10.0, "T10": -8.0, "T9": -5.0, "T8": -1.0, "T7": 3.0,
    "T6": 8.0, "T5": 12.5, "T4": 17.5, "T3": 22.0, "T2": 25.0, "T1": 26.0, "C7": 22.0, "C6": 14.0,
    "C5": 8.0, "C4": 3.0, "C3": -1.0, "C2": -4.0, "C1": -4.0,
}  # fmt: skip

SAGITTAL_TILT_DEG: Final[dict[int, float]] = {LEVEL_NUMBERS[n.upper()]: t for n, t in _TILT.items()}
"""Lean of each vertebra's up axis toward anterior, degrees: standing norm flattened toward supine.

Standing: lordosis L1-S1 60 (SD 10), sacral slope 41 (8), kyphosis T4-T12 41 (10) degrees (Vialle et al., J Bone
Joint Surg Am 2005;87:260-7); sacral slopes from under 35 to over 45 in Roussouly's types (Spine 2005;30:346-53).
"""
