"""Shoulder girdle and arms: landmarks on the rib cage, scapulae, clavicles, humeri. World RAS, mm."""

import itertools
from collections.abc import Iterator

import numpy as np

from vertseg.labels import THORACIC
from vertseg.phantom.skeleton.bars import Bar, Part, Plate
from vertseg.phantom.skeleton.ribs import sternum_heights
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.types import Anatomy, Array

OFF_CAGE_MM = 15.0
"""From the middle of the ribs to the scapula: muscle lies between."""


def shoulder_points(torso: Torso, anatomy: Anatomy, side: float) -> dict[str, Array] | None:
    """Landmarks of one side (`side` is +1 right, -1 left), patient mm; None if the chest is missing.

    The scapula reaches from the second to the seventh rib; raised arms turn its lower angle outward.
    """
    by_level = {s.level: np.asarray(s.centre_mm) for s in anatomy.vertebrae}
    if THORACIC[0] not in by_level or THORACIC[7] not in by_level:
        return None
    rng = np.random.default_rng([anatomy.seed, 55])
    raised = anatomy.trunk["arms"] > 0
    lift = 22.0 if raised else 0.0
    t = torso.t

    def on_cage(z: float, degrees: float, off: float = OFF_CAGE_MM) -> Array:
        x, y, _ = torso.cage_point(z, float(np.deg2rad(degrees)), side)
        middle = np.array(
            [
                0.7 * torso.value("spine_x", z),
                0.5 * (torso.value("cage_front", z) + torso.value("cage_back", z)),
            ]
        )
        out = np.array([x, y]) - middle
        x, y = np.array([x, y]) + off * out / np.linalg.norm(out)
        return np.array([x, y, z])

    shift = float(rng.normal(0, 5))
    turn = 16.0 if raised else 0.0
    upper = on_cage(t[2] + shift + 0.6 * lift, -58 + 0.3 * turn, 14.0)
    root = on_cage(t[3] + shift + 0.6 * lift, -60 + 0.6 * turn, 16.0)
    lower = on_cage(t[7] + shift + 0.5 * lift, -52 + 1.5 * turn, 17.0)
    wide = float(np.clip(0.84 * anatomy.trunk["half_width"], 146.0, 170.0))
    x0, z0 = 0.7 * torso.value("spine_x", t[2]), t[2] + shift + lift
    y0 = float(by_level[THORACIC[1]][1]) + 6.0 + float(rng.normal(0, 5))

    def at(x: float, y: float, z: float) -> Array:
        return np.array([x0 + side * x, y0 + y, z0 + z])

    head = at(wide, 0.0, -14.0)
    elbow = head + (
        np.array([side * 34.0, 24.0, 265.0]) if raised else np.array([side * 40.0, -16.0, -275.0])
    )
    wrist = elbow + (
        np.array([-side * 130.0, 40.0, 160.0]) if raised else np.array([-side * 12.0, 60.0, -235.0])
    )
    notch = sternum_heights(torso)[0]
    front = torso.value("cage_front", notch)
    return {
        "head": head, "elbow": elbow, "wrist": wrist, "neck": at(wide - 36.0, -10.0, -15.0), "upper": upper,
        "middle": root, "lower": lower, "acromion": at(wide + 4.0, -16.0, 20.0), "coracoid": at(wide - 28.0, 26.0, -2.0),
        "sternal": np.array([0.7 * torso.value("spine_x", notch) + side * 17.0, front + 3.0, notch + 4.0]),
        "breast": on_cage(t[5], 48.0, 12.0),
    }  # fmt: skip


def shoulder_parts(points: dict[str, Array]) -> Iterator[Part]:
    """Scapula with blade, spine, acromion, coracoid and socket; clavicle as an S."""
    upper, root, lower, neck = (points[k] for k in ("upper", "middle", "lower", "neck"))
    acromion, head = points["acromion"], points["head"]
    side = float(np.sign(head[0] - upper[0]))
    # The blade is hollow toward the ribs: its middle bulges away from them.
    centre = (upper + root + lower + neck) / 4 + np.array([side * 2.0, -5.0, 0.0])
    rim = ((upper, 2.0), (root, 2.2), (lower, 3.2), (neck, 5.0), (upper, 2.0))
    for (a, ra), (b, rb) in itertools.pairwise(rim):
        yield Plate(np.stack([a, b, centre]), (ra, rb, 1.2), 1.0)
    yield Bar(tuple(lower), tuple(neck), (3.6, 6.0), cortex=1.2)
    yield Bar(tuple(root), tuple(lower), (2.4, 3.6), cortex=1.0)
    mid = 0.5 * (root + acromion) + np.array([0.0, -14.0, 0.0])
    base = 0.5 * (root + neck) + np.array([0.0, 0.0, 4.0])
    yield Plate(np.stack([root, mid, base]), (2.0, 2.6, 2.0), 1.0)
    yield Plate(np.stack([mid, base, neck]), (2.6, 2.0, 3.0), 1.0)
    yield Plate(np.stack([mid, neck, acromion]), (2.6, 2.0, 3.0), 1.0)
    yield Bar(tuple(root), tuple(mid), (3.0, 4.5), cortex=1.2)
    yield Bar(tuple(mid), tuple(acromion), (4.5, 5.0), (1.2, 1.2, 0.8), 1.2)
    yield Bar(tuple(acromion), tuple(acromion + [side * 2.0, 20.0, -2.0]), (5.5, 5.0), (1.5, 1.2, 0.75), 1.2)
    toward = (neck - head) / np.linalg.norm(neck - head)
    socket = head + toward * 31.0
    yield Bar(tuple(neck), tuple(socket), (8.0, 11.0), (0.8, 1.0, 1.25), 1.2)
    yield Bar(tuple(neck + [0.0, 2.0, 6.0]), tuple(points["coracoid"]), (6.0, 4.5), cortex=1.2)
    a, d = points["sternal"], acromion + [-side * 10.0, 12.0, 0.0]
    b, c = a + 0.33 * (d - a) + [0.0, 9.0, 2.0], a + 0.7 * (d - a) + [0.0, -8.0, 2.0]
    for p, q, radii in ((a, b, (8.5, 6.0)), (b, c, (6.0, 5.6)), (c, d, (5.6, 7.0))):
        yield Bar(tuple(p), tuple(q), radii, cortex=1.8)


def arm_parts(points: dict[str, Array]) -> tuple[list[Bar], list[Bar]]:
    """Spongy ends and hollow shafts of humerus, radius and ulna."""
    head, elbow, wrist = points["head"], points["elbow"], points["wrist"]
    side = float(np.sign(elbow[0] - head[0]))
    along = (elbow - head) / np.linalg.norm(elbow - head)
    neck = head + 26.0 * along + [side * 6.0, 0.0, 0.0]
    ends = [
        Bar(tuple(head), tuple(head), (23.0, 23.0), cortex=0.9),
        Bar(tuple(head + [side * 8.0, 5.0, 0.0]), tuple(neck), (17.0, 14.0), cortex=1.2),
        Bar(tuple(elbow + [-24.0, 0.0, 0.0]), tuple(elbow + [24.0, 0.0, 0.0]), (9.0, 9.0), cortex=1.4),
    ]
    shafts = [Bar(tuple(neck), tuple(elbow), (12.0, 10.5), cortex=3.8)]
    for gap in (-11.0, 11.0):
        shafts.append(
            Bar(
                tuple(elbow + [gap, 0.0, 0.0] + 12.0 * (wrist - elbow) / 260.0),
                tuple(wrist + [gap, 0.0, 0.0]),
                (7.5, 7.0),
                cortex=2.6,
            )
        )
    return ends, shafts
