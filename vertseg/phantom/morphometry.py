"""Sizes of the vertebrae, by level.

Body width, depth and posterior height, canal and pedicles: Panjabi et al., Spine 1991;16:888-901 (cervical),
1991;16:861-9 (thoracic) and 1992;17:299-306 (lumbar); pedicle angles: Zindrick et al., Spine 1987;12:160-6.
Process spans and disc heights are rounded from anatomy texts and from what adult CT shows. Heights are
raised by a common factor in `anatomy`, since living adults measure more than the cadavers of the tables.
"""

from typing import Final

from vertseg.labels import LEVEL_NUMBERS

COLUMNS: Final = (
    "width", "depth", "height", "disc", "pedicle_width", "pedicle_height", "pedicle_angle",
    "canal_width", "canal_depth", "transverse_span", "spinous_length", "spinous_drop",
)  # fmt: skip

_ROWS: Final[dict[str, tuple[float, ...]]] = {
    #      width depth height disc pedw pedh angle canw cand tspan splen drop
    "C1": (16.0, 10.0, 10.0, 2.0, 7.0, 8.0, 20.0, 28.0, 20.0, 74.0, 16.0, 0.0),
    "C2": (16.5, 14.5, 19.0, 5.0, 7.5, 9.0, 30.0, 24.0, 18.0, 52.0, 32.0, 6.0),
    "C3": (16.5, 15.3, 11.6, 5.0, 5.6, 7.4, 40.0, 23.0, 15.0, 50.0, 29.0, 6.0),
    "C4": (17.2, 15.5, 11.4, 5.0, 5.4, 7.4, 44.0, 23.5, 14.5, 50.0, 29.0, 6.0),
    "C5": (18.0, 15.6, 11.4, 5.2, 5.6, 7.0, 44.0, 24.5, 14.5, 52.0, 31.0, 7.0),
    "C6": (19.5, 16.4, 10.9, 5.5, 6.0, 7.3, 41.0, 25.0, 14.8, 54.0, 37.0, 9.0),
    "C7": (22.0, 17.6, 12.8, 5.5, 6.6, 7.5, 36.0, 24.0, 14.8, 62.0, 48.0, 14.0),
    "T1": (25.0, 18.0, 14.1, 5.0, 8.3, 9.6, 27.0, 21.8, 16.0, 74.0, 50.0, 18.0),
    "T2": (25.0, 19.6, 15.6, 4.6, 8.0, 11.4, 21.0, 19.0, 15.5, 68.0, 48.0, 24.0),
    "T3": (25.0, 22.0, 15.7, 4.4, 6.6, 11.8, 17.0, 18.0, 16.0, 64.0, 47.0, 30.0),
    "T4": (25.2, 23.3, 16.2, 4.4, 5.5, 11.9, 14.0, 17.2, 16.0, 62.0, 46.0, 34.0),
    "T5": (26.0, 24.3, 16.4, 4.4, 5.3, 11.9, 12.0, 17.2, 16.1, 62.0, 46.0, 37.0),
    "T6": (27.2, 26.0, 17.4, 4.6, 5.5, 12.2, 10.0, 17.3, 16.4, 61.0, 46.0, 38.0),
    "T7": (28.6, 27.4, 18.2, 4.8, 5.9, 12.1, 9.0, 17.3, 16.0, 60.0, 46.0, 38.0),
    "T8": (30.0, 27.9, 18.7, 5.0, 6.7, 12.5, 8.0, 17.7, 15.8, 60.0, 46.0, 34.0),
    "T9": (31.2, 29.3, 19.3, 5.2, 7.4, 13.9, 8.0, 17.9, 15.8, 59.0, 44.0, 28.0),
    "T10": (33.0, 30.5, 20.2, 5.8, 8.0, 14.9, 5.0, 18.2, 15.6, 57.0, 42.0, 22.0),
    "T11": (36.0, 31.9, 21.3, 6.6, 8.6, 16.8, 2.0, 19.4, 16.0, 52.0, 41.0, 15.0),
    "T12": (39.5, 32.8, 22.7, 7.6, 8.6, 16.5, 2.0, 22.2, 18.1, 48.0, 43.0, 9.0),
    "T13": (40.5, 33.5, 23.2, 7.8, 8.6, 16.0, 5.0, 22.5, 18.5, 58.0, 46.0, 7.0),
    "L1": (42.0, 34.1, 23.8, 8.4, 8.6, 15.9, 10.0, 23.7, 18.5, 74.0, 50.0, 6.0),
    "L2": (43.5, 34.6, 24.3, 9.6, 8.9, 15.0, 12.0, 23.8, 18.2, 80.0, 53.0, 6.0),
    "L3": (45.5, 35.2, 24.3, 10.8, 10.2, 14.4, 14.0, 24.3, 17.5, 90.0, 54.0, 6.0),
    "L4": (47.5, 35.5, 24.1, 11.4, 12.6, 15.5, 18.0, 25.4, 18.2, 87.0, 51.0, 6.0),
    "L5": (50.0, 35.0, 22.9, 10.6, 16.5, 17.0, 28.0, 27.1, 18.8, 92.0, 44.0, 7.0),
    "L6": (50.5, 35.0, 22.5, 9.0, 16.5, 17.0, 28.0, 28.0, 18.0, 94.0, 40.0, 8.0),
}

LEVEL_SIZES: Final[dict[int, dict[str, float]]] = {
    LEVEL_NUMBERS[name]: dict(zip(COLUMNS, row, strict=True)) for name, row in _ROWS.items()
}
"""Level number -> sizes in mm and degrees."""

_TILT: Final[dict[str, float]] = {
    "sacrum": 40.0, "L6": 24.0, "L5": 19.0, "L4": 7.0, "L3": -2.0, "L2": -8.0, "L1": -11.0,
    "T13": -12.0, "T12": -12.0, "T11": -10.0, "T10": -8.0, "T9": -5.0, "T8": -1.0, "T7": 3.0,
    "T6": 7.0, "T5": 11.0, "T4": 15.0, "T3": 19.0, "T2": 22.0, "T1": 23.0, "C7": 20.0, "C6": 14.0,
    "C5": 8.0, "C4": 3.0, "C3": -1.0, "C2": -4.0, "C1": -4.0,
}  # fmt: skip

SAGITTAL_TILT_DEG: Final[dict[int, float]] = {LEVEL_NUMBERS[n.upper()]: t for n, t in _TILT.items()}
"""Lean of each vertebra's up axis toward anterior, standing norm flattened toward supine."""
