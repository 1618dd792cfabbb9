"""Cement of a rendered phantom by where it leaked: from the drawn casts, so that no pixel and no label changes."""

from typing import Final

import cc3d
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.inference.findings import Findings, Provenance, VertebraFindings
from vertseg.labels import LEAK_OUTCOMES, LocateClass, Tissue
from vertseg.phantom.pathology.disease import Strand
from vertseg.phantom.pathology.treatment import strand_distance
from vertseg.phantom.types import Anatomy, PhantomScan, PhantomVertebra, VertebraShape
from vertseg.planning.measures import Measures, measure
from vertseg.volume import Volume

WAYS: Final = ("canal", "disc", "vein", "track")
"""Where phantoms' cement leaks to (`phantom.pathology.cementation.LEAK_RATES`)."""

_STEP_MM: Final = 0.4


def leaked_by_way_ml(
    anatomy: Anatomy, level: Volume, world_from_patient: NDArray[np.float64]
) -> dict[int, dict[str, float]]:
    """Leaked cement in ml by vertebra's level number and by each of `WAYS`, of the treated vertebrae.

    A cast's volume is what lies within its drawn surface, in the field of view, and outside of its own vertebra's
    labels; where two casts of a vertebra meet, each place counts for the one whose surface it lies deeper under.

    Args:
        anatomy: the patient.
        level: VerSe numbers of the rendered scan.
        world_from_patient: (4, 4) pose on the table, mm.
    """
    return {
        shape.level: _of_vertebra(shape, level, world_from_patient)
        for shape in anatomy.vertebrae
        if shape.cement is not None
    }


def _of_vertebra(
    shape: VertebraShape, level: Volume, world_from_patient: NDArray[np.float64]
) -> dict[str, float]:
    found = dict.fromkeys(WAYS, 0.0)
    strands = () if shape.cement is None else shape.cement.strands
    if not strands:
        return found
    points = _grid(strands)
    distance = np.stack([strand_distance(torch.from_numpy(points), s).numpy() for s in strands])
    inside = distance.min(axis=0) <= 0
    nearest = distance.argmin(axis=0)[inside]
    patient = shape.centre_mm + points[inside] @ shape.axes.T
    world = patient @ world_from_patient[:3, :3].T + world_from_patient[:3, 3]
    vox = np.rint(level.grid.voxel(world)).astype(int)
    seen = ((vox >= 0) & (vox < level.array.shape)).all(axis=1)
    own = np.zeros(len(vox), bool)
    own[seen] = level.array[tuple(vox[seen].T)] == shape.level
    for k, strand in enumerate(strands):
        count = np.count_nonzero((nearest == k) & seen & ~own)
        found[strand.route] += count * _STEP_MM**3 / 1000.0
    return found


def _grid(strands: tuple[Strand, ...]) -> NDArray[np.float64]:
    """Points (N, 3) of a fine grid, in the vertebra's frame, around all strands."""
    corners = np.concatenate([np.asarray(s.points) for s in strands])
    margin = max(1.6 * s.radius_mm * max(s.stretch) for s in strands) + 1.0
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    axes = [np.arange(a, b, _STEP_MM) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def labelled_findings(scan: PhantomScan, leaks: bool = True) -> Findings:
    """A phantom's labels as if a network had predicted them without a fault.

    Args:
        scan: rendered.
        leaks: whether the cement's mask holds what lies outside of bodies; without, it is like that of a network
            that knows deposits only: the two largest pieces in each body, their edges taken off.
    """
    tissue = np.zeros(scan.tissue.array.shape, np.uint8)
    tissue[scan.tissue.array == LocateClass.BODY] = Tissue.BODY
    tissue[scan.tissue.array == LocateClass.POSTERIOR] = Tissue.POSTERIOR
    parts = scan.tissue.with_array(tissue)
    masks = dict(scan.findings)
    if not leaks:
        masks["cement"] = _deposits(scan, tissue)
    vertebrae = []
    for v in scan.vertebrae:
        measures = _measures(parts, scan.level, masks, v)
        x, y, z = (float(c) for c in v.centroid_mm)
        leak = dict.fromkeys(LEAK_OUTCOMES, 0.0)
        vertebrae.append(VertebraFindings(v.level, 1.0, (x, y, z), v.axes, False, measures, leak))
    provenance = Provenance(f"phantom {scan.seed}", "", {}, {}, {}, "cpu", "labels")
    return Findings(scan.level, parts, masks, tuple(vertebrae), {}, provenance)


def _measures(parts: Volume, level: Volume, masks: dict[str, Volume], vertebra: PhantomVertebra) -> Measures:
    at = np.argwhere(level.array == vertebra.level)
    start, stop = at.min(axis=0), at.max(axis=0) + 1
    own = level.cropped(start, stop).array == vertebra.level

    def mine(volume: Volume) -> Volume:
        box = volume.cropped(start, stop)
        return box.with_array(np.where(own, box.array, 0).astype(np.uint8))

    return measure(mine(parts), {n: mine(m) for n, m in masks.items()}, vertebra.centroid_mm, vertebra.axes)


def _deposits(scan: PhantomScan, tissue: NDArray[np.uint8]) -> Volume:
    cement, kept = scan.findings["cement"], np.zeros(tissue.shape, np.uint8)
    for v in scan.vertebrae:
        own = (cement.array > 0) & (scan.level.array == v.level) & (tissue == Tissue.BODY)
        core = ndimage.binary_opening(own)
        if core.any():
            kept[cc3d.largest_k(core, k=2, connectivity=26) > 0] = 1
    return cement.with_array(kept)
