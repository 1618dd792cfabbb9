"""Scans to evaluate on: labelled cases of an index, or phantoms rendered for it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vertseg.data.cases import Case, read_index
from vertseg.data.leaks import Injection, read_leak_table
from vertseg.errors import ConfigError
from vertseg.evaluation.truth import Truth, truth_of_case, truth_of_phantom
from vertseg.io import Scan, read_scan
from vertseg.io.nifti import file_sha256
from vertseg.labels import APPROACHES, LEAK_ROUTES, VISCOSITIES, level_number
from vertseg.phantom.types import ScanConfig
from vertseg.volume import Volume

PARTS = ("test", "validation", "training")


class Source(Protocol):
    """One scan with its truth.

    Attributes:
        name: unique in an evaluation.
        patient: intervals are drawn over patients.
        set_name: data set, scanner or other origin.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def patient(self) -> str: ...  # noqa: D102

    @property
    def set_name(self) -> str: ...  # noqa: D102

    def hashes(self) -> dict[str, str]:
        """What the scores depend on, by name: contents of files, or a drawing's settings."""
        ...

    def load(self) -> tuple[Scan | Volume, Truth]:
        """The scan and its truth."""
        ...


@dataclass(frozen=True, eq=False)
class IndexedCase:
    """A case of an index, in one of its parts, with its rows of a leak table by level number."""

    case: Case
    index: Path
    part: str
    injections: Mapping[int, Injection] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The case's name."""
        return self.case.name

    @property
    def patient(self) -> str:
        """The case's patient; its name where the index does not tell whose scan it is."""
        return self.case.patient or self.case.name

    @property
    def set_name(self) -> str:
        """The data set that the index names, else the index's own folder."""
        return self.case.set_name or self.index.parent.name

    @cached_property
    def _hashes(self) -> dict[str, str]:
        files = {"image": self.case.image, "level": self.case.level, **dict(self.case.findings)}
        if self.case.tissue is not None:
            files["tissue"] = self.case.tissue
        hashes = {name: _sha256(path) for name, path in files.items()}
        rows = sorted((n, i.leak.tolist(), i.plan.tolist()) for n, i in self.injections.items())
        hashes["annotated"] = _digest(sorted(self.case.annotated))
        hashes["leaks"] = _digest(rows)
        return hashes

    def hashes(self) -> dict[str, str]:
        """Of every file, what is annotated, and the rows of the leak table."""
        return self._hashes

    def load(self) -> tuple[Scan | Volume, Truth]:
        """The scan as it was read and the truth on its RAS grid."""
        scan = read_scan(self.case.image)
        return scan, truth_of_case(self.case, scan.volume, self.injections)


@dataclass(frozen=True)
class RenderedPhantom:
    """A phantom scan that is rendered when it is loaded; with `leaks`, each treatable vertebra is injected too."""

    seed: int
    config: ScanConfig
    leaks: bool = False

    @property
    def name(self) -> str:
        """Name by seed."""
        return f"phantom_{self.seed}"

    @property
    def patient(self) -> str:
        """Every seed is a patient."""
        return self.name

    @property
    def set_name(self) -> str:
        """The part of the spine in view tells phantoms apart."""
        return f"phantoms, {self.config.field}"

    def hashes(self) -> dict[str, str]:
        """Of what is drawn; not of the code that draws it."""
        return {"drawing": _digest([self.seed, self.leaks, asdict(self.config)])}

    def load(self) -> tuple[Scan | Volume, Truth]:
        """The scan in HU and its truth."""
        from vertseg.phantom.patient.anatomy import draw_anatomy
        from vertseg.phantom.render import render_acquired
        from vertseg.phantom.scanner.acquisition import acquire

        anatomy = draw_anatomy(self.seed, self.config)
        scan = render_acquired(anatomy, acquire(anatomy, self.config), self.config.device)
        injections = {}
        if self.leaks:
            from vertseg.phantom.case import injectable, leak_row

            shapes = {shape.level: shape for shape in anatomy.vertebrae}
            for vertebra in injectable(scan, anatomy):
                row = leak_row(scan, vertebra, (anatomy, shapes[vertebra.level]))
                injections[level_number(row["level"])] = _injection(row)
        return scan.hu, truth_of_phantom(scan, injections)


def indexed_cases(index: Path, part: str | None, leak_table: Path | None) -> tuple[str, list[IndexedCase]]:
    """A part of an index and its cases with their rows of a leak table.

    Args:
        index: see `data.cases.read_index`.
        part: one of `PARTS`; None takes the test part, or validation where there is none.
        leak_table: see `data.leaks`; None: no injection is known.

    Raises:
        ConfigError: the index or the table cannot be used, or the index has no such part.
    """
    parts = {str(name): cases for name, cases in read_index(index, needed=()).items()}
    part = part or ("test" if parts["test"] else "validation")
    cases = parts[part]
    if not cases:
        present = " and ".join(name for name, listed in parts.items() if listed) or "none at all"
        raise ConfigError(
            f"The index {index} has no cases under '{part}', but {present}; choose with --part."
        )
    every = {case.name for listed in parts.values() for case in listed}
    table = read_leak_table(leak_table, every) if leak_table is not None else {}
    return part, [
        IndexedCase(
            case, index.resolve(), part, {n: i for (name, n), i in table.items() if name == case.name}
        )
        for case in cases
    ]


def _injection(row: Mapping[str, Any]) -> Injection:
    leak = [row.get(f"leak_{route}", np.nan) for route in LEAK_ROUTES]
    plan = [row["volume_ml"], VISCOSITIES.index(row["viscosity"]), APPROACHES.index(row["approach"])]
    return Injection(np.array(leak, np.float32), np.array(plan, np.float32))


def _sha256(path: Path) -> str:
    if path.is_dir():
        return _digest(sorted((p.name, file_sha256(p)) for p in path.rglob("*") if p.is_file()))
    return file_sha256(path) if path.is_file() else "absent"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
