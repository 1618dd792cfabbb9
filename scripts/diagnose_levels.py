#!/usr/bin/env python3
"""Say why levels are wrong: vertebrae of phantom scans that locate missed, merged, split, invented or misnamed.

python scripts/diagnose_levels.py [--seeds 900100-900160] [--output levels.json] [--cache FOLDER]

Scans are rendered at the locate network's spacing, where levels are decided; examine is not run. With --cache
the scans and the network's outputs are kept, so that another decision is tried on the same outputs in seconds;
--tried takes single parts of the decision away, one after the other, and writes what each was worth.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from vertseg.data.cache import ArrayCache, Arrays, CachePlace, PhantomSpec, cache_key, render_locate
from vertseg.errors import ConfigError, VertsegError
from vertseg.evaluation.columns import ColumnCheck, check_column, has_anchor
from vertseg.inference import column, evidence, postprocess, votes
from vertseg.inference.engines import Engine, open_engine
from vertseg.inference.locate import locate_scan
from vertseg.inference.located import Located
from vertseg.inference.postprocess import read_column
from vertseg.io.atomic import write_text
from vertseg.labels import VERTEBRA_LEVELS
from vertseg.volume import Grid, Volume

_KEPT = 0.1
"""Levels and offsets are kept where the vertebra's probability reaches this; nothing reads them elsewhere."""

TRIED: dict[str, dict[Any, dict[str, Any]]] = {
    "as it is": {},
    "the network's levels weigh 2, not 1": {evidence: {"_WEIGHT": 2.0}},
    "a misfit of the distance costs 3, not 6": {column: {"_GAP_COST": 3.0}},
    "ribs are not looked at": {evidence: {"_RIBLESS": {}}},
    "an L6 need not look like an L5, nor a T13 like its neighbours": {evidence: {"_LOOK_ALIKE_SHARE": 0.0}},
    "what is whole may be sacrum": {evidence: {"_SACRUM_FLOOR": 1.0}},
    "the patient's size is not taken off": {column: {"_LEAST_STEPS_FOR_SIZE": 99}},
    "small neighbours are not parted": {votes: {"_MOST_SPLITS": 0}},
    "the atlas needs a body": {column: {"_ATLAS_SHARE": 2.0}},
    "lumps beyond a gap are kept": {column: {"_FAR_KINK_DEG": 55.0}},
    "lone lumps are kept": {postprocess: {"_LEAST_PROBABILITY_OF_FEW": 0.0}},
}
"""Parts of the decision, each taken away alone: the modules' constants that do so."""
BEFORE = "none of these"


def packed(located: Located) -> Arrays:
    """Outputs as they are stored: half precision, levels and offsets only where there may be bone."""
    voxels = np.argwhere(located.vertebra >= _KEPT)
    index = (slice(None), *voxels.T)
    return {
        "tissue": located.tissue.astype(np.float16),
        "voxels": voxels.astype(np.int16),
        "level": located.level[index].astype(np.float16),
        "offset_mm": located.offset_mm[index],
        "affine": located.grid.affine,
    }


def unpacked(arrays: Arrays, source: Grid) -> Located:
    """The outputs that `packed` stored; `source` is the scan's grid."""
    tissue = arrays["tissue"].astype(np.float32)
    index = (slice(None), *arrays["voxels"].astype(np.int64).T)
    level = np.zeros((arrays["level"].shape[0], *tissue.shape[1:]), np.float32)
    offset = np.zeros((3, *tissue.shape[1:]), np.float32)
    level[index], offset[index] = arrays["level"], arrays["offset_mm"]
    x, y, z = tissue.shape[1:]
    return Located(Grid((x, y, z), arrays["affine"]), tissue, level, offset, source)


def wanted_levels(scan: Arrays) -> list[int]:
    """True levels whose body centre is in view, from head to foot."""
    centres, shape = scan["centres_vox"], np.array(scan["level"].shape)
    seen = np.asarray(((centres >= -0.5) & (centres <= shape - 0.5)).all(axis=1))
    return [n for n in VERTEBRA_LEVELS if seen[n]]


def summary(checks: list[ColumnCheck], anchored: list[bool]) -> dict[str, Any]:
    """Shares of scans and vertebrae that are right, and counts of each kind of fault."""
    wanted = sum(len(c.wanted) for c in checks)
    wrong = sum(len(c.missed) + len(c.misnamed) for c in checks)
    with_anchor = [c.right for c, a in zip(checks, anchored, strict=True) if a]
    return {
        "scans": len(checks),
        "all_right": float(np.mean([c.right for c in checks])),
        "scans_with_anchor": len(with_anchor),
        "all_right_with_anchor": float(np.mean(with_anchor)) if with_anchor else None,
        "vertebrae": wanted,
        "vertebrae_right": 1 - wrong / max(1, wanted),
        "invented_per_scan": float(np.mean([len(c.invented) for c in checks])),
        "causes": dict(Counter(c.cause for c in checks if c.cause)),
        "faults": {
            k: sum(len(getattr(c, k)) for c in checks) for k in ("missed", "merged", "split", "misnamed")
        },
    }


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan's outputs and truth on the locate network's grid."""

    seed: int
    located: Located
    level: NDArray[np.uint8]
    wanted: list[int]

    @property
    def anchored(self) -> bool:
        """Whether it shows what levels are counted from."""
        return has_anchor(self.level, self.wanted, self.located.grid.voxel_volume_mm3 / 1000.0)

    def check(self) -> ColumnCheck:
        """The column read from the outputs, held against the truth."""
        return check_column(read_column(self.located), self.level, self.located.grid, self.wanted)


def located_scans(seeds: range, engine: Engine, cache: Path | None) -> Iterator[Scan]:
    """Render and locate a scan per seed."""
    spacing = engine.locate_spacing_mm
    spec = PhantomSpec(render_spacing_mm=(spacing, spacing, spacing), appearance=0.5)
    place = None if cache is None else CachePlace(cache)
    scans = ArrayCache(
        place, cache_key("locate", spec, spacing), lambda seed: render_locate(seed, spacing, spec)
    )

    def outputs(seed: int) -> Arrays:
        scan = scans.get(seed)
        volume = Volume(scan["hu"].astype(np.float32), scan["affine"])
        return packed(locate_scan(volume, engine, lambda stage, done, total: None))

    key = f"located-{str(engine.checkpoints['locate']['sha256'])[:12]}"
    kept = ArrayCache(place, key, outputs)
    for seed in seeds:
        scan = scans.get(seed)
        x, y, z = scan["level"].shape
        source = Grid((x, y, z), scan["affine"])
        located = unpacked(kept.get(seed), source)
        # The outputs may lie on the patient's part of the grid only.
        start = np.rint(source.voxel(located.grid.affine[:3, 3])).astype(int)
        part = tuple(slice(a, a + n) for a, n in zip(start, located.grid.shape, strict=True))
        yield Scan(seed, located, scan["level"][part], wanted_levels(scan))


def diagnose(scans: Iterable[Scan]) -> dict[str, Any]:
    """Check every scan; plain values for JSON."""
    checks, anchored, rows = [], [], []
    for scan in scans:
        check = scan.check()
        checks.append(check)
        anchored.append(scan.anchored)
        rows.append({"seed": scan.seed, "anchor": anchored[-1], "cause": check.cause, **asdict(check)})
        print(json.dumps(rows[-1]), flush=True)
    return {**summary(checks, anchored), "per_scan": rows}


def try_all(scans: Iterable[Scan]) -> dict[str, Any]:
    """Summaries by what was taken away, all from the same outputs; plain values for JSON."""
    every: dict[Any, dict[str, Any]] = {}
    for changes in TRIED.values():
        for module, values in changes.items():
            every.setdefault(module, {}).update(values)
    variants = {**TRIED, BEFORE: every}
    checks: dict[str, list[ColumnCheck]] = {name: [] for name in variants}
    anchored = []
    for scan in scans:
        anchored.append(scan.anchored)
        for name, changes in variants.items():
            with ExitStack() as stack:
                for module, values in changes.items():
                    stack.enter_context(mock.patch.multiple(module, **values))
                checks[name].append(scan.check())
        print(
            json.dumps({"seed": scan.seed, "wrong": [n for n, c in checks.items() if not c[-1].right]}),
            flush=True,
        )
    return {"tried": {name: summary(found, anchored) for name, found in checks.items()}}


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise ConfigError(f"--seeds '{text}' is not a range; write it like --seeds 900100-900160.")
    return range(int(first), int(last) + 1)


def main() -> int:
    """Diagnose and write; 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="900100-900160", metavar="A-B")
    parser.add_argument("--output", type=Path, default=Path("checkpoints/evaluation/levels.json"))
    parser.add_argument("--tried", action="store_true", help="take parts of the decision away instead")
    parser.add_argument("--cache", type=Path, metavar="FOLDER")
    parser.add_argument("--checkpoint-dir", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    try:
        engine = open_engine("auto", arguments.checkpoint_dir, arguments.device, arguments.threads)
        seeds = _seeds(arguments.seeds)
        scans = located_scans(seeds, engine, arguments.cache)
        result = {
            "checkpoint": engine.checkpoints["locate"],
            "seeds": [seeds.start, seeds.stop - 1],
            **(try_all(scans) if arguments.tried else diagnose(scans)),
        }
        write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    except VertsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({k: v for k, v in result.items() if k != "per_scan"}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
