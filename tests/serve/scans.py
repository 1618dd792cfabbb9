"""A small drawn scan and the engines that servers in tests run, which a spawned worker can import."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg.io import write_nifti
from vertseg.serve.settings import ServeSettings
from vertseg.volume import Volume

NAMES = "L1 L2 L3"
SPINE = draw_spine(NAMES, sacrum=True)


def oracle(settings: ServeSettings) -> Oracle:
    return Oracle(NAMES.split())


class Slow(Oracle):
    """Takes its time over every scan."""

    def locate(self, image: Any) -> Any:
        time.sleep(3600)


def slow(settings: ServeSettings) -> Oracle:
    return Slow(NAMES.split())


class Deadly(Oracle):
    """Takes its worker along, as a crash in a decoder would."""

    def locate(self, image: Any) -> Any:
        os._exit(11)


def deadly(settings: ServeSettings) -> Oracle:
    return Deadly(NAMES.split())


def write_scan(path: Path) -> Path:
    scan = hu_of(SPINE)
    write_nifti(path, Volume(scan.array.astype(np.int16), scan.affine))
    return path
