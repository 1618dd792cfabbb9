"""One case of a cohort: the scan, its labels, and an injection into each vertebra that could be treated."""

import json
import shutil
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.io.atomic import write_text
from vertseg.io.nifti import file_sha256
from vertseg.labels import (
    FINDINGS,
    LEAK_ROUTES,
    LUMBAR,
    N_LEVELS,
    T13,
    THORACIC,
    LocateClass,
    level_name,
)
from vertseg.phantom.contact_sheet import draw_tile
from vertseg.phantom.files import label_path, pathology, truth_path, write_scan
from vertseg.phantom.injection_site import injection_site
from vertseg.phantom.leak import draw_plan, injected, leak_array
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.render import render_acquired
from vertseg.phantom.scanner.acquisition import acquire
from vertseg.phantom.types import Anatomy, PhantomScan, PhantomVertebra, ScanConfig, VertebraShape

INJECTED_LEVELS: Final = (*THORACIC[3:], T13, *LUMBAR)
"""T4 to L5 with T13 and L6: hardly any vertebroplasty is done above."""

LEAK_COLUMNS: Final = (
    *("case", "level", *(f"leak_{route}" for route in LEAK_ROUTES), "volume_ml", "viscosity", "approach"),
    *("volume_B_ml", "volume_S_ml", "volume_C_canal_ml", "volume_C_other_ml", "volume_D_ml", "pathology"),
)
"""Columns of `leak.csv`, in the names of `vertseg.data.leaks`."""

TILE: Final = "tile.png"
DONE: Final = "done.json"
_MIN_BODY_ML: Final = 0.5


@dataclass(frozen=True)
class CaseSpec:
    """What one case depends on, and nothing else: the cohort's seed, the case's number, how it is scanned."""

    cohort_seed: int
    number: int
    config: ScanConfig

    @property
    def name(self) -> str:
        """Name of the case, its folder and its files."""
        return f"case_{self.number:05d}"

    @property
    def scan_seed(self) -> int:
        """Seed of the patient: `vertseg phantom scan --seed` renders the same one."""
        return int(np.random.SeedSequence([self.cohort_seed, self.number]).generate_state(1)[0])


def make_case(folder: Path, spec: CaseSpec) -> None:
    """Render a case and write it into `folder`, its completion record last; what lay there is replaced.

    Raises:
        OutputError: the file system refused.
    """
    shutil.rmtree(folder, ignore_errors=True)
    config = spec.config
    anatomy = draw_anatomy(spec.scan_seed, config)
    scan = render_acquired(anatomy, acquire(anatomy, config), config.device)
    shapes = {shape.level: shape for shape in anatomy.vertebrae}
    rows = {v.level: leak_row(scan, v, (anatomy, shapes[v.level])) for v in injectable(scan, anatomy)}
    image = folder / f"{spec.name}.nii.gz"
    write_scan(scan, image, rows)
    draw_tile(scan, spec.name, folder / TILE)
    _write_record(folder, spec)


def leak_row(
    scan: PhantomScan, truth: PhantomVertebra, drawn: tuple[Anatomy, VertebraShape]
) -> dict[str, Any]:
    """One drawn injection into a vertebra and where it leaked: cells of `LEAK_COLUMNS` but for the case."""
    rng = np.random.default_rng([scan.seed, 11, truth.level])
    plan = draw_plan(rng)
    injection = injected(drawn[1], partial(injection_site, *drawn), plan, int(rng.integers(2**31)))
    leaks = leak_array(injection)
    leaked_ml = {} if injection is None else injection.leaked_ml
    return {
        "level": level_name(truth.level),
        **{f"leak_{r}": int(out) for r, out in zip(LEAK_ROUTES, leaks, strict=True) if not np.isnan(out)},
        "volume_ml": round(plan.volume_ml, 2),
        "viscosity": plan.viscosity,
        "approach": plan.approach,
        **{f"volume_{route}_ml": round(ml, 4) for route, ml in leaked_ml.items()},
        "pathology": " ".join(pathology(scan, truth)),
    }


def injectable(scan: PhantomScan, anatomy: Anatomy) -> list[PhantomVertebra]:
    """Vertebrae that a clinician could inject: T4 and below, body whole in view, no cement or screws in it."""
    level, voxel_ml = scan.level.array, scan.hu.grid.voxel_volume_mm3 / 1000
    bodies = np.where(scan.tissue.array == LocateClass.BODY, level, 0)
    boxes = ndimage.find_objects(bodies, max_label=N_LEVELS - 1)
    treated = set(np.unique(level[scan.findings["cement"].array > 0]).tolist())
    treated |= {s.level for s in anatomy.vertebrae if s.cement is not None or s.screws is not None}
    chosen = []
    for vertebra in scan.vertebrae:
        box = boxes[vertebra.level - 1]
        if vertebra.level not in INJECTED_LEVELS or vertebra.level in treated or box is None:
            continue
        ml = float((bodies[box] == vertebra.level).sum()) * voxel_ml
        if ml >= _MIN_BODY_ML and not _at_border(box, level):
            chosen.append(vertebra)
    return chosen


def _at_border(box: tuple[slice, ...], array: NDArray[Any]) -> bool:
    return any(s.start == 0 or s.stop == n for s, n in zip(box, array.shape, strict=True))


def index_entry(spec: CaseSpec) -> dict[str, Any]:
    """The case as an entry of an index (see `vertseg.data.cases`), files relative to the cohort's folder."""
    image = Path(spec.name) / f"{spec.name}.nii.gz"
    return {
        "case": spec.name,
        "image": image.as_posix(),
        "level": label_path(image, "level").as_posix(),
        "tissue": label_path(image, "tissue").as_posix(),
        "findings": {name: label_path(image, name).as_posix() for name in FINDINGS},
        "annotated": ["level", "tissue", "sacrum", "other_bone", *FINDINGS],
    }


def leak_rows(folder: Path, spec: CaseSpec) -> list[dict[str, Any]]:
    """The written case's rows of the leak table, from head to foot."""
    truth = json.loads(truth_path(folder / f"{spec.name}.nii.gz").read_text())
    return [{"case": spec.name, **v["injection"]} for v in truth["vertebrae"] if "injection" in v]


def is_finished(folder: Path, spec: CaseSpec) -> bool:
    """Whether the case lies there whole: its record says the same spec, and size and hash of every file hold."""
    try:
        record = json.loads((folder / DONE).read_text())
        files = record["files"]
        whole = all(
            (folder / name).stat().st_size == size and file_sha256(folder / name) == sha256
            for name, (size, sha256) in files.items()
        )
        return whole and bool(files) and record["spec"] == _plain_spec(spec)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_record(folder: Path, spec: CaseSpec) -> None:
    files = {p.name: [p.stat().st_size, file_sha256(p)] for p in sorted(folder.iterdir())}
    write_text(folder / DONE, json.dumps({"spec": _plain_spec(spec), "files": files}, indent=1) + "\n")


def _plain_spec(spec: CaseSpec) -> Any:
    """The spec as JSON gives it back."""
    return json.loads(json.dumps(asdict(spec)))
