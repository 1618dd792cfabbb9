"""Treat the cohort: inject every vertebra once, in shards that are kept, so that a stopped run goes on."""

import ast
import hashlib
import inspect
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

import torch

from vertseg.cement import (
    domain,
    injection,
    openings,
    parameters,
    permeability,
    plan,
    pressure,
    routes,
    site,
    stepping,
    transport,
    vessels,
)
from vertseg.cement.injection import Injection, inject
from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.site import InjectionSite
from vertseg.cement.validation import cohort_mix, cohort_site
from vertseg.cement.validation.cohort_mix import TreatedVertebra, draw_cohort
from vertseg.cement.validation.cohort_site import read_site, site_of
from vertseg.errors import ConfigError
from vertseg.io.atomic import write_text
from vertseg.phantom import shapes
from vertseg.phantom.patient import anatomy, arch_morphometry, morphometry, variation
from vertseg.phantom.vertebra import distances as vertebra
from vertseg.phantom.vertebra import facets, joints, posterior, upper_cervical

SHARD: Final = 16
"""Vertebrae of one file."""

SPACING_MM: Final = (0.5, 3.0)
"""Voxel edges that are simulated: finer ones take hours, coarser ones miss the shell."""

TOGETHER: Final = 2
"""Vertebrae injected at once: on one core a larger batch only pads."""

_CODE: Final[tuple[ModuleType, ...]] = (
    domain, injection, openings, parameters, permeability, plan, pressure, routes, site, stepping, transport,
    vessels, cohort_mix, cohort_site, anatomy, arch_morphometry, morphometry, variation, shapes, vertebra,
    facets, joints, posterior, upper_cervical,
)  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """What is simulated.

    Attributes:
        vertebrae: size of the cohort.
        seed: of the cohort.
        spacing_mm: voxel edge of the injection.
        parameters: physics of the injection.
    """

    vertebrae: int
    seed: int = 0
    spacing_mm: float = 1.5
    parameters: InjectionParameters = field(default_factory=InjectionParameters)

    def fingerprint(self) -> str:
        """Changes with the physics, the seed, the voxel and the code, not with comments or the cohort's size."""
        text = f"{self.seed} {self.spacing_mm} {self.parameters}"
        text += "".join(_meaning(module) for module in _CODE)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _meaning(module: ModuleType) -> str:
    """A module's code without comments and docstrings."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
            body[:] = kept or [ast.Pass()]
    return ast.dump(tree)


@dataclass(frozen=True)
class Treatment:
    """One treated vertebra: what was there, what was done, what a CT shows afterwards; volumes in ml.

    Attributes:
        endplate_break: an endplate is broken, as MR shows.
        open_mm2: open side wall that a CT could show, of which `wall_mm2` toward the canal.
        endplate_mm2: open endplate that a CT could show.
        leaked_ml: route of `vertseg.cement.routes.ROUTES` -> cement outside.
        pressure_kpa: highest pressure at the tip.
    """

    case: int
    patient: int
    population: str
    level: int
    severity: str
    height_loss: float
    cleft: bool
    endplate_break: bool
    open_mm2: float
    wall_mm2: float
    endplate_mm2: float
    lesion: str
    foramen_mm: float
    trabecular_hu: float
    body_ml: float
    volume_ml: float
    viscosity: str
    approach: str
    leaked_ml: dict[str, float]
    pressure_kpa: float


def treat(vertebrae: tuple[TreatedVertebra, ...], config: RunConfig) -> list[Treatment]:
    """Inject vertebrae together and read the outcome."""
    sites = [site_of(v, config.spacing_mm) for v in vertebrae]
    done = inject(sites, [v.plan for v in vertebrae], [v.seed for v in vertebrae], config.parameters)
    return [_record(*case) for case in zip(vertebrae, sites, done, strict=True)]


def _record(v: TreatedVertebra, treated: InjectionSite, result: Injection) -> Treatment:
    seen = read_site(treated)
    return Treatment(
        v.case, v.patient, v.population, v.level, v.severity, v.height_loss, v.cleft, v.endplate_break != 0,
        seen.open_mm2, seen.wall_mm2, seen.endplate_mm2, v.lesion, v.foramen_mm, v.trabecular_hu,
        seen.body_ml, v.plan.volume_ml, v.plan.viscosity, v.plan.approach,
        {route: round(ml, 4) for route, ml in result.leaked_ml.items()}, result.pressure_pa / 1000,
    )  # fmt: skip


def run_cohort(
    config: RunConfig, cache: Path, workers: int = 1, progress: Callable[[int, int], None] | None = None
) -> list[Treatment]:
    """Treat the cohort; shards that an earlier run of the same config wrote are read, not computed again.

    Args:
        config: what is simulated.
        cache: folder for the shards, in a folder named after the config's fingerprint.
        workers: processes; the outcome does not depend on them.
        progress: called with vertebrae done and in all.

    Raises:
        ConfigError: nothing to simulate, or a voxel too fine or too coarse.
        OutputError: the folder cannot be written.
    """
    if config.vertebrae < 1 or workers < 1:
        raise ConfigError(
            f"{config.vertebrae} vertebrae in {workers} processes cannot be simulated; give 1 or more of each."
        )
    if not SPACING_MM[0] <= config.spacing_mm <= SPACING_MM[1]:
        raise ConfigError(
            f"A voxel of {config.spacing_mm:g} mm cannot be simulated; give {SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm."
        )
    folder = cache / config.fingerprint()
    paths = [folder / f"shard_{i:04d}.json" for i in range(-(-config.vertebrae // SHARD))]
    missing = [i for i, path in enumerate(paths) if not path.is_file()]
    done = len(paths) - len(missing)
    if progress:
        progress(min(done * SHARD, config.vertebrae), config.vertebrae)
    for i, rows in _computed(missing, config, workers):
        write_text(paths[i], json.dumps([asdict(row) for row in rows]) + "\n")
        done += 1
        if progress:
            progress(min(done * SHARD, config.vertebrae), config.vertebrae)
    read = [Treatment(**row) for path in paths for row in json.loads(path.read_text(encoding="utf-8"))]
    return read[: config.vertebrae]


def _computed(missing: list[int], config: RunConfig, workers: int) -> Iterator[tuple[int, list[Treatment]]]:
    if workers == 1 or len(missing) < 2:
        for i in missing:
            yield i, _shard(i, config)
        return
    # Torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        yield from zip(missing, pool.map(_shard, missing, [config] * len(missing)), strict=True)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _shard(index: int, config: RunConfig) -> list[Treatment]:
    """All vertebrae of a shard, whatever the cohort's size, so that a larger cohort can use it."""
    cohort = draw_cohort((index + 1) * SHARD, config.seed)[index * SHARD :]
    return [row for i in range(0, SHARD, TOGETHER) for row in treat(cohort[i : i + TOGETHER], config)]
