"""Where a labelled vertebra's body ends and its arch begins, and how large its parts are.

All arrays lie on a lattice in the vertebra's own frame: axes (right, anterior, up), mm from the body's centre.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vertseg.labels import CERVICAL
from vertseg.phantom.painting.label_distance import signed_distance

Floats = NDArray[np.floating]
_MIDLINE_MM: Final = 5.0
_WALL_TRUST_MM: Final = 2.0
_ROOT_MM: Final = 1.0
"""The cut through the pedicles lies this far behind the body's outline, so that the wall belongs to the body."""


@dataclass(frozen=True, eq=False)
class FrameLattice:
    """Distances of a whole vertebra (mm, negative inside) on a cubic lattice in its frame.

    Attributes:
        whole: (U, V, W) float32.
        right, anterior, up: (U,), (V,), (W,) mm.
    """

    whole: NDArray[np.float32]
    right: NDArray[np.float64]
    anterior: NDArray[np.float64]
    up: NDArray[np.float64]

    @property
    def step_mm(self) -> float:
        """Distance of neighbours."""
        return float(self.right[1] - self.right[0])


@dataclass(frozen=True)
class Canal:
    """The posterior wall and the canal behind it.

    The wall stands at `wall_mm + slope * up + bend * up^2 + arch * right^2` (anterior, mm).
    """

    wall_mm: float
    slope: float
    bend: float
    arch: float
    width_mm: float
    depth_mm: float

    def wall(self, right: Floats, up: Floats) -> NDArray[np.float64]:
        """Anterior position (mm) of the wall; beside the canal it goes on straight sideways."""
        inner = np.clip(right, -self.width_mm / 2, self.width_mm / 2)
        return np.asarray(self.wall_mm + self.slope * up + self.bend * up * up + self.arch * inner * inner)


def body_height(lattice: FrameLattice) -> tuple[float, float]:
    """Lower and upper end (mm) of the bone that stands around the frame's centre."""
    near_u, near_v = np.abs(lattice.right) <= 4, np.abs(lattice.anterior) <= 4
    line = np.median(lattice.whole[np.ix_(near_u, near_v)], axis=(0, 1))
    middle = int(np.argmin(np.abs(lattice.up) + 100.0 * (line > 0)))
    low = middle
    while low > 0 and line[low - 1] < 0:
        low -= 1
    high = middle
    while high < len(line) - 1 and line[high + 1] < 0:
        high += 1
    edge = 0.5 * lattice.step_mm
    return float(lattice.up[low] - edge), float(lattice.up[high] + edge)


def find_canal(lattice: FrameLattice, usual: dict[str, float]) -> Canal:
    """The canal between body and arch, seen along lines that leave the body backward near the midline.

    Where no line leaves the bone (a cut or odd vertebra) the sizes that are usual for the level stand in.
    """
    low, high = body_height(lattice)
    middle, reach = 0.5 * (low + high), 0.32 * (high - low)
    rows = np.flatnonzero(np.abs(lattice.right) <= _MIDLINE_MM)
    heights = np.flatnonzero(np.abs(lattice.up - middle) <= reach)
    back = lattice.anterior <= 0
    lines = lattice.whole[np.ix_(rows, np.flatnonzero(back), heights)].transpose(0, 2, 1)[..., ::-1]
    v = lattice.anterior[back][::-1]
    exits, returns = _crossings(lines, v)
    u, w = np.meshgrid(lattice.right[rows], lattice.up[heights], indexing="ij")
    seen = np.isfinite(exits) & (exits < -0.25 * usual["depth"]) & (exits > -0.9 * usual["depth"])
    if seen.sum() < 12:
        return Canal(-usual["depth"] / 2, 0.0, 0.0, 0.0, usual["canal_width"], usual["canal_depth"])
    wall, slope, bend, arch = _fit_wall(u[seen], w[seen], exits[seen])
    depths = (exits - returns)[seen & np.isfinite(returns)]
    depths = depths[(depths > 0.5 * usual["canal_depth"]) & (depths < 1.7 * usual["canal_depth"])]
    depth = float(np.median(depths)) if len(depths) >= 5 else usual["canal_depth"]
    canal = Canal(wall, slope, bend, arch, usual["canal_width"], depth)
    width = _canal_width(lattice, canal, (low, high))
    allowed = (0.65 * usual["canal_width"], 1.5 * usual["canal_width"])
    width = usual["canal_width"] if width is None else float(np.clip(width, *allowed))
    return Canal(wall, slope, bend, arch, width, depth)


def _crossings(lines: Floats, v: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where lines (..., V) that start in the bone leave it, and where they next enter it; NaN where never."""
    outside = lines > 0
    first = outside.argmax(-1)
    left = outside.any(-1) & (first > 0)
    after = (~outside) & (np.arange(lines.shape[-1]) > first[..., None])
    second = after.argmax(-1)

    def at(index: NDArray[np.intp], known: NDArray[np.bool_]) -> NDArray[np.float64]:
        index = np.maximum(index, 1)
        a = np.take_along_axis(lines, index[..., None] - 1, -1)[..., 0]
        b = np.take_along_axis(lines, index[..., None], -1)[..., 0]
        share = a / np.where(a == b, 1.0, a - b)
        return np.where(known, v[index - 1] + share * (v[index] - v[index - 1]), np.nan)

    return at(first, left), at(second, left & after.any(-1))


def _fit_wall(u: Floats, w: Floats, exits: Floats) -> tuple[float, float, float, float]:
    terms = np.stack([np.ones_like(w), w, w * w, u * u], axis=1)
    kept = np.abs(exits - np.median(exits)) < 3 * _WALL_TRUST_MM
    fit = np.array([np.median(exits), 0.0, 0.0, 0.0])
    for _ in range(3):
        if kept.sum() < 12:
            break
        fit = np.linalg.lstsq(terms[kept], exits[kept], rcond=None)[0]
        kept = np.abs(terms @ fit - exits) < _WALL_TRUST_MM
    # Curvature is kept to what posterior walls have: a hollow of at most some 2 mm.
    return float(fit[0]), float(np.clip(fit[1], -0.3, 0.3)), float(np.clip(fit[2], -0.012, 0.012)), float(
        np.clip(fit[3], -0.02, 0.03)
    )  # fmt: skip


def _canal_width(lattice: FrameLattice, canal: Canal, ends: tuple[float, float]) -> float | None:
    """Distance (mm) between the pedicles at the canal's middle; None where they are not seen."""
    found = []
    right = lattice.right >= 0
    for k in np.flatnonzero((lattice.up > ends[0]) & (lattice.up < ends[1])):
        at = float(canal.wall(np.zeros(1), lattice.up[k : k + 1])[0]) - 0.4 * canal.depth_mm
        row = lattice.whole[:, int(np.argmin(np.abs(lattice.anterior - at))), k]
        sides = []
        for line, u in (
            (row[right], lattice.right[right]),
            (row[~right][::-1], -lattice.right[~right][::-1]),
        ):
            hit = np.flatnonzero(line < 0)
            if len(hit) and hit[0] > 0 and u[hit[0]] < 22:
                sides.append(float(u[hit[0]] - lattice.step_mm / 2))
        if len(sides) == 2:
            found.append(sum(sides))
    return float(np.percentile(found, 25)) if len(found) >= 3 else None


def body_cut(lattice: FrameLattice, canal: Canal, level: int) -> NDArray[np.float32]:
    """Distance-like field (U, V, W), negative on the body's side of the cut through the pedicles' roots.

    The body's own outline is seen below the pedicles, where the foramina part it from the arch, and is
    carried up along the posterior wall; in front of the wall everything near the midline is body.
    """
    low, high = body_height(lattice)
    u, v, w = lattice.right, lattice.anterior, lattice.up
    lean = canal.wall(np.zeros(len(w)), w) - canal.wall_mm
    shifted = v[:, None] + lean[None]
    flat = canal.wall(u, np.zeros(len(u)))
    lower = np.flatnonzero((w > low + 0.12 * (high - low)) & (w < low + 0.40 * (high - low)))
    slices = [np.stack([np.interp(shifted[:, k], v, line) for line in lattice.whole[:, :, k]]) for k in lower]
    outline = np.maximum(np.mean(slices, axis=0), flat[:, None] - v[None])
    section = outline[:, np.argmin(np.abs(v))] < 0
    half_width = 0.5 * float(np.ptp(u[section])) if section.any() else 20.0
    depth = -2.0 * canal.wall_mm
    front = canal.wall_mm + (0.35 if level in CERVICAL else 0.28) * depth
    beside = np.maximum(
        front - v[None], np.abs(u)[:, None] - (half_width + (2.0 if level in CERVICAL else 5.0))
    )
    cut = np.minimum(outline - _ROOT_MM, beside)
    # Back to upright: at each height the outline stands where the wall does.
    columns = [np.stack([np.interp(v - lean[k], v, line) for line in cut]) for k in range(len(w))]
    return np.stack(columns, axis=-1).astype(np.float32)


def side_wall(lattice: FrameLattice, cut: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance (U, V, W) to the body's side wall, slice by slice; past the endplates it goes on straight."""
    body = np.maximum(lattice.whole, cut)
    areas = (body < 0).sum((0, 1))
    tall = np.flatnonzero(areas >= 0.75 * np.median(areas[areas > 0])) if areas.any() else np.array([], int)
    if not len(tall):
        return body
    nearest = np.clip(np.arange(len(lattice.up)), tall[0], tall[-1])
    known = {k: signed_distance(-body[:, :, k], lattice.step_mm) for k in np.unique(nearest)}
    return np.stack([known[k] for k in nearest], axis=-1)


def measured_sizes(
    lattice: FrameLattice, cut: NDArray[np.float32], canal: Canal, usual: dict[str, float]
) -> dict[str, float]:
    """Sizes (mm) of the vertebra by the names of `morphometry.COLUMNS`, each within reason of the usual ones."""
    u, v, w, step = lattice.right, lattice.anterior, lattice.up, lattice.step_mm
    body, arch = np.maximum(lattice.whole, cut) < 0, np.maximum(lattice.whole, -cut) < 0
    middle, depth = np.abs(u) <= 4, _run(body, (u, v, w), 1)
    front = v[depth[1]] + step / 2 if depth[1] > depth[0] else usual["depth"] / 2
    thirds = {
        "height": canal.wall_mm + 4.0,
        "middle_height": 0.5 * (canal.wall_mm + front),
        "anterior_height": front - 4.0,
    }
    found = {
        "width": step * float(np.asarray(body.any(2))[:, np.abs(v) <= 3].sum(0).mean()),
        "depth": float(front - canal.wall_mm),
    }
    for name, at in thirds.items():
        column = body[np.ix_(middle, np.abs(v - at) <= 1.5)]
        found[name] = step * float(np.median(column.sum(-1))) if column.size else 0.0
    found |= {"canal_width": canal.width_mm, "canal_depth": canal.depth_mm}
    root = np.abs(v - (canal.wall_mm - 2.5)) <= step
    side = arch[:, root].any(1) & (np.abs(u) > canal.width_mm / 2 - 2)[:, None]
    if side.any():
        found["pedicle_height"] = step * float(np.percentile(side.sum(1)[np.asarray(side.any(1))], 75))
        found["pedicle_width"] = step * float(np.percentile(side.sum(0)[np.asarray(side.any(0))], 50)) / 2
    if arch.any():
        spread, rear = u[np.asarray(arch.any((1, 2)))], v[np.asarray(arch.any((0, 2)))]
        tip = np.asarray(arch[:, v <= rear.min() + 3.0].any((0, 1)))
        found["transverse_span"] = float(np.ptp(spread))
        found["spinous_length"] = float(canal.wall_mm - rear.min())
        found["spinous_drop"] = float(-w[tip].mean() - 6.0)
    return {k: _within(k, x, usual) for k, x in found.items()}


def _run(body: NDArray[np.bool_], axes: tuple[Floats, Floats, Floats], axis: int) -> tuple[int, int]:
    """First and last lattice index of the body along an axis through its middle."""
    near = [np.ones(len(a), bool) if i == axis else np.abs(a) <= 4 for i, a in enumerate(axes)]
    across = tuple(i for i in range(3) if i != axis)
    hit = np.flatnonzero(np.asarray(body[np.ix_(*near)].mean(across)) > 0.5)
    return (int(hit[0]), int(hit[-1])) if len(hit) else (0, 0)


def _within(name: str, value: float, usual: dict[str, float]) -> float:
    if name == "spinous_drop":
        return float(np.clip(value, usual[name] - 15, usual[name] + 15))
    base = usual.get(name, usual["height"])
    # Collapsed vertebrae are real: heights may fall far below the usual.
    low = 0.25 if name.endswith("height") else 0.6
    return float(np.clip(value, low * base, 1.6 * base)) if np.isfinite(value) and value > 0 else base
