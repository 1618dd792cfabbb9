"""A real label map made ready for painting: smooth distances of every structure, computed once and kept."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vertseg.errors import InputError
from vertseg.io import read_labels
from vertseg.io.atomic import atomic_path
from vertseg.labels import CERVICAL
from vertseg.phantom.painting.label_distance import LatticeField, signed_distance
from vertseg.phantom.painting.label_maps import SOFT_TISSUES, Scheme, checked, level_map, tissue_numbers
from vertseg.phantom.painting.mapped_vertebra import MappedVertebra, mapped_vertebrae
from vertseg.volume import Grid, Volume

BONES: Final = ("bone", "sacrum")
_SOFT_STEP_MM: Final = 2.5
_BONE_STEP_MM: Final = 1.5
_UNIT_MM: Final = 1 / 8
"""Distances of structures are kept as bytes of an eighth of a millimetre, up to 15.9 mm."""
_SOFT_MARGIN_MM: Final = 6.0
_BONE_MARGIN_MM: Final = 16.0
_HULL_STEP_MM: Final = 4.0
_HULL_CLOSING_MM: Final = 40.0
_ENOUGH_AROUND: Final = 6
"""A map with at least this many tissues besides the spine holds a body; else the body is drawn around it."""


@dataclass(frozen=True, eq=False)
class LabelledAnatomy:
    """What a label map holds, as smooth distances in the map's world (RAS mm).

    Attributes:
        grid: the map's voxels, RAS.
        vertebrae: from head to foot.
        tissues: name of `label_maps.SOFT_TISSUES` or `BONES` -> distances.
        hull: distance to a smooth hull of everything labelled; None where the map holds but a spine.
        digest: of the map's voxels, place and scheme; names cached crops.
    """

    grid: Grid
    vertebrae: tuple[MappedVertebra, ...]
    tissues: dict[str, LatticeField]
    hull: LatticeField | None
    digest: str

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of which a crop can be painted: whole in the map, C3 and below."""
        return tuple(v.level for v in self.vertebrae if v.whole_in_map and v.level not in CERVICAL[:2])

    def to(self, device: str) -> "LabelledAnatomy":
        """The same with its distances on a torch device."""
        place = torch.device(device)
        return replace(
            self,
            vertebrae=tuple(replace(v, field=v.field.to(place)) for v in self.vertebrae),
            tissues={name: field.to(place) for name, field in self.tissues.items()},
            hull=None if self.hull is None else self.hull.to(place),
        )


def labelled_anatomy(labels: Volume, scheme: Scheme) -> LabelledAnatomy:
    """Distances of every structure of a label map; some 20 s for a chest of 512 x 512 x 133 voxels.

    Args:
        labels: class numbers on any grid.
        scheme: "totalsegmentator" (v2, task "total") or "verse" (levels 1-28).

    Raises:
        ConfigError: no such scheme.
        InputError: the map is empty, holds unknown numbers, or no vertebra that is whole.
    """
    labels = checked(labels, scheme)
    vertebrae = mapped_vertebrae(level_map(labels, scheme))
    if not any(v.whole_in_map for v in vertebrae):
        raise InputError(
            "The border of the label map cuts every vertebra in it; give one that holds at least one whole."
        )
    tissues = _tissue_fields(labels, scheme)
    body = len([t for t in tissues if t != "sacrum"]) >= _ENOUGH_AROUND
    hull = _hull_field(labels) if body else None
    return LabelledAnatomy(labels.grid, vertebrae, tissues, hull, _digest(labels, scheme))


def read_labelled_anatomy(path: Path, scheme: Scheme, cache_dir: Path | None = None) -> LabelledAnatomy:
    """The same from a NIfTI file; its distances are kept in `cache_dir` and read from there the next time.

    Raises:
        ConfigError, InputError: as `labelled_anatomy`, and if the file or what was kept cannot be read.
        OutputError: the file system refused the folder.
    """
    labels = read_labels(path)
    if cache_dir is None:
        return labelled_anatomy(labels, scheme)
    place = cache_dir / f"painted-{_digest(checked(labels, scheme), scheme)}.npz"
    if place.exists():
        try:
            with np.load(place, allow_pickle=False) as stored:
                return _unpacked(dict(stored))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            raise InputError(f"'{place}' is damaged; remove it and run the same command again.") from None
    anatomy = labelled_anatomy(labels, scheme)
    with atomic_path(place) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **_packed(anatomy))
    return anatomy


def _digest(labels: Volume, scheme: str) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(labels.array).tobytes())
    digest.update(repr((scheme, labels.array.shape, labels.affine.round(4).tolist())).encode())
    for name in ("label_distance", "body_split", "mapped_vertebra", "labelled_anatomy", "label_maps"):
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def _tissue_fields(labels: Volume, scheme: Scheme) -> dict[str, LatticeField]:
    names = (*SOFT_TISSUES, *BONES)
    table = np.zeros(256, np.uint8)
    for index, name in enumerate(names, start=1):
        table[list(tissue_numbers(name, scheme))] = index
    kinds = labels.with_array(table[labels.array])
    fields = {}
    for index, (name, box) in enumerate(
        zip(names, ndimage.find_objects(kinds.array, max_label=len(names)), strict=True)
    ):
        if box is None:
            continue
        step, margin = (_BONE_STEP_MM, _BONE_MARGIN_MM) if name in BONES else (_SOFT_STEP_MM, _SOFT_MARGIN_MM)
        wide = np.ceil(margin / np.array(kinds.grid.spacing_mm)).astype(int)
        start = np.maximum([s.start for s in box] - wide, 0)
        stop = np.minimum([s.stop for s in box] + wide, kinds.array.shape)
        part = kinds.cropped(start, stop)
        fields[name] = _distance_bytes(part.with_array((part.array == index + 1).astype(np.uint8)), step)
    return fields


def _distance_bytes(mask: Volume, step_mm: float) -> LatticeField:
    """Distances of a mask on a cubic lattice along its own axes; its volume is kept."""
    grid = _along_axes(mask.grid, step_mm)
    share = ndimage.gaussian_filter(mask.resampled_to(grid, 1, 0.0).array, 0.5, mode="nearest")
    wanted = int(mask.array.sum() * mask.grid.voxel_volume_mm3 / grid.voxel_volume_mm3)
    flat = np.partition(share.ravel(), max(0, share.size - wanted - 1))
    threshold = float(np.clip(flat[max(0, share.size - wanted - 1)], 0.25, 0.6))
    distance = signed_distance(np.asarray(share - threshold, np.float32), step_mm)
    values = np.clip(np.rint(distance / _UNIT_MM), -127, 127).astype(np.int8)
    return LatticeField(torch.from_numpy(values[None]), np.linalg.inv(grid.affine), _UNIT_MM)


def _along_axes(grid: Grid, step_mm: float) -> Grid:
    """Cubic lattice along a grid's own axes that covers it."""
    spacing = np.array(grid.spacing_mm)
    extent = (np.array(grid.shape) - 1) * spacing
    shape = np.maximum(np.ceil(extent / step_mm).astype(int) + 1, 2)
    affine = grid.affine.copy()
    affine[:3, :3] = affine[:3, :3] / spacing * step_mm
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def _hull_field(labels: Volume) -> LatticeField:
    """Distance to the closing of everything labelled by a ball, as if the map went on at its ends."""
    grid = _along_axes(labels.grid, _HULL_STEP_MM)
    any_label = labels.with_array((labels.array > 0).astype(np.uint8)).resampled_to(grid, 1, 0.0).array > 0.3
    pad = int(np.ceil(1.5 * _HULL_CLOSING_MM / _HULL_STEP_MM))
    wide = np.pad(
        np.pad(any_label, ((pad, pad), (pad, pad), (0, 0))), ((0, 0), (0, 0), (pad, pad)), mode="edge"
    )
    grown = ndimage.distance_transform_edt(~wide) * _HULL_STEP_MM < _HULL_CLOSING_MM
    inside = ndimage.distance_transform_edt(grown) * _HULL_STEP_MM
    distance = ndimage.gaussian_filter(_HULL_CLOSING_MM - inside, 2.0, mode="nearest")
    outside = ndimage.distance_transform_edt(inside < _HULL_CLOSING_MM) * _HULL_STEP_MM
    distance = np.where(grown, distance, outside)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.world((-pad, -pad, -pad))
    values = torch.from_numpy(np.clip(distance, -60, 200).astype(np.float16)[None])
    return LatticeField(values, np.linalg.inv(affine))


def _packed(anatomy: LabelledAnatomy) -> dict[str, NDArray[Any]]:
    """The anatomy as plain arrays."""
    arrays: dict[str, NDArray[Any]] = {
        "shape": np.array(anatomy.grid.shape), "affine": anatomy.grid.affine,
        "digest": np.array(anatomy.digest), "levels": np.array([v.level for v in anatomy.vertebrae]),
    }  # fmt: skip
    fields = {f"tissue_{name}": field for name, field in anatomy.tissues.items()}
    if anatomy.hull is not None:
        fields["hull"] = anatomy.hull
    for v in anatomy.vertebrae:
        fields[f"vertebra_{v.level}"] = v.field
        arrays[f"pose_{v.level}"] = np.concatenate([v.centre_mm[None], v.axes, [[float(v.whole_in_map)] * 3]])
        arrays[f"size_names_{v.level}"] = np.array(list(v.sizes))
        arrays[f"sizes_{v.level}"] = np.array(list(v.sizes.values()))
    for name, field in fields.items():
        arrays[f"values_{name}"] = field.values.numpy()
        arrays[f"place_{name}"] = field.lattice_from_world
        arrays[f"unit_{name}"] = np.array(field.unit_mm)
    return arrays


def _unpacked(arrays: dict[str, NDArray[Any]]) -> LabelledAnatomy:
    def field(name: str) -> LatticeField:
        values = torch.from_numpy(arrays[f"values_{name}"])
        return LatticeField(values, arrays[f"place_{name}"], float(arrays[f"unit_{name}"]))

    vertebrae = []
    for level in arrays["levels"].tolist():
        pose = arrays[f"pose_{level}"]
        sizes = zip(arrays[f"size_names_{level}"].tolist(), arrays[f"sizes_{level}"].tolist(), strict=True)
        vertebrae.append(
            MappedVertebra(
                level, pose[0], pose[1:4], dict(sizes), field(f"vertebra_{level}"), bool(pose[4, 0])
            )
        )
    tissues = {n: field(f"tissue_{n}") for n in (*SOFT_TISSUES, *BONES) if f"values_tissue_{n}" in arrays}
    x, y, z = (int(n) for n in arrays["shape"])
    hull = field("hull") if "values_hull" in arrays else None
    return LabelledAnatomy(
        Grid((x, y, z), arrays["affine"]), tuple(vertebrae), tissues, hull, str(arrays["digest"])
    )
