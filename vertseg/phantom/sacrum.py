"""The sacrum and coccyx: bodies, alae, plates and crest. World RAS, mm."""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.transform import Rotation

from vertseg.labels import SACRUM
from vertseg.phantom.bars import Bar, to_world
from vertseg.phantom.types import Anatomy, VertebraShape


def sacrum_segments(anatomy: Anatomy) -> list[VertebraShape]:
    """Bodies of S1-S5 as vertebra-like shapes: S1 leans as the anatomy says, the lower ones turn forward."""
    rng = np.random.default_rng([anatomy.seed, 11])
    k = float(rng.uniform(0.94, 1.12))
    slope = float(np.rad2deg(np.arctan2(anatomy.sacrum_axes[1, 2], anatomy.sacrum_axes[2, 2])))
    turns = np.cumsum(
        [0.0, rng.uniform(-2, 12), rng.uniform(-22, -2), rng.uniform(-30, -10), rng.uniform(-30, -10)]
    )
    rows = ((51, 33, 30), (39, 23, 25), (31, 17, 21), (27, 13, 18), (22, 10, 15))
    gap, point, up = float(rng.uniform(1.0, 4.0)), anatomy.sacrum_centre_mm, anatomy.sacrum_axes[:, 2]
    segments = []
    for i, ((width, depth, height), turn) in enumerate(zip(rows, turns, strict=True)):
        axes = Rotation.from_euler("x", -(slope + turn), degrees=True).as_matrix()
        mean_up = (up + axes[:, 2]) / np.linalg.norm(up + axes[:, 2])
        centre = point - mean_up * (0.0 if i == 0 else gap / (1 + i)) - axes[:, 2] * k * height / 2
        sizes = {
            "width": k * width, "depth": k * depth, "height": k * height * 0.92, "anterior_height": k * height,
            "middle_height": k * height * 0.93, "waist": 0.03, "concavity": 0.8, "osteophyte": 0.0,
        }  # fmt: skip
        segments.append(VertebraShape(SACRUM, centre, axes, sizes, seed=anatomy.seed + i))
        point, up = centre - axes[:, 2] * k * height / 2, axes[:, 2]
    return segments


def sacrum_bars(anatomy: Anatomy) -> Iterator[Bar]:
    """Alae, posterior plate, crest and coccyx around the sacral bodies."""
    segments = sacrum_segments(anatomy)
    for i, segment in enumerate(segments):
        s = segment.sizes
        half_w, half_d, half_h = s["width"] / 2, s["depth"] / 2, s["height"] / 2

        def at(right: float, anterior: float, up: float, shape: VertebraShape = segment) -> tuple[float, ...]:
            return to_world(shape.axes, shape.centre_mm, (right, anterior, up))

        back = -half_d - (15.0 - 2.0 * i)
        for side in (-1.0, 1.0):
            if i < 3:
                reach = (56, 46, 34)[i]
                r = (0.62, 0.55, 0.5)[i] * half_d
                yield Bar(
                    at(side * 0.55 * half_w, -3, 1),
                    at(side * reach, -9 - 3 * i, -3),
                    (r + 3, r + 1),
                    cortex=0.6,
                )
                yield Bar(
                    at(side * 0.8 * half_w, -half_d, 2),
                    at(side * (reach - 6), -half_d - 8, -4),
                    (r, r - 1),
                    cortex=0.6,
                )
            yield Bar(
                at(side * 0.75 * half_w, -half_d - 4, 0),
                at(0, back - 1, -2),
                (4.0, 4.0),
                (1.0, 1.4, 1.6),
                1.0,
            )
        yield Bar(
            at(0, back, half_h * 0.6),
            at(0, back - 3, -half_h * 0.6),
            (4.5 - 0.4 * i, 4.5 - 0.4 * i),
            cortex=1.0,
        )
    point = np.asarray(segments[-1].centre_mm - segments[-1].axes[:, 2] * segments[-1].sizes["height"] / 2)
    direction = -segments[-1].axes[:, 2]
    for _ in range(3):
        end = point + 9.0 * direction + np.array([0.0, 2.0, 0.0])
        yield Bar(tuple(point), tuple(end), (5.0, 3.5), cortex=0.6)
        point = end
