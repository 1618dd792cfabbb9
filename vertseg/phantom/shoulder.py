"""Shoulder girdle and arms: where the joints lie. World RAS, mm."""

import numpy as np

from vertseg.labels import THORACIC
from vertseg.phantom.types import Anatomy, Array


def shoulder_points(anatomy: Anatomy, side: float) -> dict[str, Array] | None:
    """Landmarks of one side (`side` is +1 right, -1 left), patient mm; None if the chest is missing."""
    by_level = {s.level: s.centre_mm for s in anatomy.vertebrae}
    if THORACIC[0] not in by_level or THORACIC[7] not in by_level:
        return None
    t1 = np.asarray(by_level[THORACIC[0]])
    rng = np.random.default_rng([anatomy.seed, 55])
    raised = anatomy.trunk["arms"] > 0
    wide = float(np.clip(0.86 * anatomy.trunk["half_width"], 142.0, 172.0))

    def at(x: float, y: float, z: float) -> Array:
        return np.asarray(t1 + np.array([side * x, y, z]))

    lift = 26.0 if raised else 0.0
    head = at(wide, -2.0 + float(rng.normal(0, 5)), -26.0 + lift)
    elbow = head + (
        np.array([side * 30.0, 20.0, 250.0]) if raised else np.array([side * 38.0, -12.0, -270.0])
    )
    wrist = elbow + (
        np.array([-side * 110.0, 60.0, 150.0]) if raised else np.array([-side * 10.0, 50.0, -230.0])
    )
    turn = 18.0 if raised else 0.0
    return {
        "head": head,
        "elbow": elbow,
        "wrist": wrist,
        "neck": at(wide - 32.0, -14.0, -28.0 + lift),
        "upper": at(62.0 + turn, -48.0, -22.0 + lift * 0.6),
        "middle": at(58.0 + turn, -60.0, -62.0 + lift * 0.4),
        "lower": at(78.0 + 2.2 * turn, -58.0, -148.0 + lift * 0.4),
        "acromion": at(wide + 6.0, -24.0, -2.0 + lift),
        "sternal": at(18.0, 62.0, -52.0),
        "breast": at(0.5 * wide, 0.0, -105.0),
    }
