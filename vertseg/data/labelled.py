"""Labelled sets as sources: whole scans, or one crop for each of their vertebrae, made once and kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vertseg.data.balance import SHOWN_ML, findings_ml, shown_odds
from vertseg.data.cache import ArrayCache, CachePlace
from vertseg.data.cases import Case, Part, read_case, read_index
from vertseg.data.crops import CaseCrops
from vertseg.data.leaks import UNKNOWN, Injection, read_leak_table
from vertseg.data.recipes import ExamineData, LabelledSet, LocateData
from vertseg.data.sources import PARTS, Source
from vertseg.data.transforms import unpack_examine
from vertseg.errors import ConfigError, InputError
from vertseg.labels import level_name
from vertseg.preprocess import CropSpec

Injections = Mapping[tuple[str, int], Injection]


def labelled_sources(data: LocateData | ExamineData, number: int) -> dict[Part, Source]:
    """Training and validation samples of one of a recipe's sets.

    Reads the index and, for examine, the label maps and the leak table; scans are read when first met.

    Args:
        data: the recipe's data.
        number: of the set in `data.sets`.

    Raises:
        ConfigError: the index or the leak table cannot be read, or the weight is not positive.
        InputError: a label map cannot be read, none shows a vertebral body whole, or a leak has no vertebra.
    """
    own = data.sets[number]
    if own.weight <= 0:
        raise ConfigError(
            f"The set {own.index} has the weight {own.weight:g}; take it out of data.sets instead."
        )
    place = data.loading.place()
    parts = read_index(Path(own.index))
    if isinstance(data, LocateData):
        if own.leak_table is not None:
            raise ConfigError(f"The set {own.index} has a leak_table, which only examine learns from.")
        return {part: _scans(own, parts[part], data.spacing_mm, place) for part in PARTS}
    spec = CropSpec(data.crop_shape, data.spacing_mm)
    crops = {part: [CaseCrops(case, spec, place) for case in cases] for part, cases in parts.items()}
    table = _injections(own, [crop for part in crops.values() for crop in part])
    sources = {part: _crops(own, part, crops[part], table) for part in PARTS}
    return {**sources, "training": _weighed(sources["training"], data)}


def set_name(own: LabelledSet) -> str:
    """Name of a set in logs."""
    return own.name or Path(own.index).resolve().parent.name


def _scans(own: LabelledSet, cases: tuple[Case, ...], spacing_mm: float, place: CachePlace | None) -> Source:
    stamps = repr(([case.stamp() for case in cases], spacing_mm))
    key = f"cases-{hashlib.sha256(stamps.encode()).hexdigest()[:12]}"
    cache = ArrayCache(place, key, lambda i: read_case(cases[i], spacing_mm))

    def load(index: int) -> Mapping[Any, Any]:
        return {**cache.get(index), "groups": cases[index].groups}

    return Source(set_name(own), len(cases), load, own.weight)


def _crops(own: LabelledSet, part: Part, crops: list[CaseCrops], table: Injections) -> Source:
    places = [(crop, v.level) for crop in crops for v in crop.vertebrae()]
    if not places:
        raise InputError(f"No case under '{part}' of {own.index} shows a vertebral body whole.")

    def load(index: int) -> Mapping[Any, Any]:
        crop, level = places[index]
        known = {"known_findings": crop.case.known_findings, "groups": crop.case.part_groups}
        injection = table.get((crop.case.name, level), UNKNOWN)
        arrays = {**crop.get(level), "leak": injection.leak, "plan": injection.plan}
        return {**unpack_examine(arrays), **known}

    return Source(set_name(own), len(places), load, own.weight)


def _weighed(source: Source, data: ExamineData) -> Source:
    """The source with odds by what its crops show, where the recipe asks for it; all crops are made for that."""
    wanted = data.shown.wanted()
    if not wanted.any():
        return source
    voxel_ml = data.spacing_mm**3 / 1000
    ml = np.array([findings_ml(source.load(i), voxel_ml) for i in range(source.size)])
    return replace(source, odds=shown_odds(ml >= SHOWN_ML, wanted))


def _injections(own: LabelledSet, crops: list[CaseCrops]) -> Injections:
    """The leak table, whose every row has a crop to go to."""
    if own.leak_table is None:
        return {}
    path = Path(own.leak_table)
    table = read_leak_table(path, {crop.case.name for crop in crops})
    present = {(crop.case.name, v.level) for crop in crops for v in crop.vertebrae()}
    for name, level in table:
        if (name, level) not in present:
            raise InputError(
                f"{path} has a row for {level_name(level)} of '{name}', whose label map does not show that body "
                "whole; correct the level or take the row out."
            )
    return table
