"""The page's texts: the same in both languages, all used, none missing."""

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import vertseg.planning
import vertseg.report
from vertseg.errors import ConfigError
from vertseg.labels import APPROACHES, FINDINGS, LEAK_OUTCOMES, VISCOSITIES
from vertseg.planning.cannula_check import CannulaPlace
from vertseg.planning.cement_spread import COMPARTMENTS
from vertseg.planning.collapse import CollapseShape
from vertseg.planning.corridor_types import Corridor
from vertseg.planning.density import DensityBand
from vertseg.planning.drivers import ABLATED
from vertseg.planning.indications import INDICATIONS, indication_note
from vertseg.planning.lesion import LesionKind, Side
from vertseg.planning.mechanistic import NotComputed
from vertseg.planning.risk import Withheld
from vertseg.planning.sins import Pain, Stability
from vertseg.planning.wall_integrity import Column, Row
from vertseg.report.texts import LANGUAGES, texts

ASSETS = Path(vertseg.report.__file__).parent / "assets"
SCRIPTS = "\n".join(path.read_text() for path in sorted((ASSETS / "js").glob("*.js")))
PAGE = (ASSETS / "page.html").read_text()
LIGHTS = ("red", "amber", "green")
FAMILIES: dict[str, tuple[str, ...]] = {
    "approach": APPROACHES, "collapse_shape": get_args(CollapseShape), "compartment": COMPARTMENTS,
    "corridor_kind": get_args(get_type_hints(Corridor)["kind"]), "corridor_side": ("left", "right"),
    "density_band": get_args(DensityBand), "finding": ABLATED, "indication": INDICATIONS,
    "layer": ("levels", *FINDINGS), "lesion_kind": get_args(LesionKind), "light": LIGHTS,
    "not_computed": get_args(NotComputed), "pain": ("unknown", *get_args(Pain)),
    "part": get_args(get_type_hints(CannulaPlace)["part"]), "picture": ("cuts", "wall", "corridors"),
    "route": LEAK_OUTCOMES, "side": tuple(s for s in get_args(Side) if s != "none"),
    "stability": get_args(Stability), "third": ("anterior", "middle", "posterior"),
    "view": ("multi", "sagittal", "coronal", "axial", "render"), "viscosity": VISCOSITIES,
    "wall_column": get_args(Column), "wall_row": get_args(Row), "withheld": ("network", *get_args(Withheld)),
}  # fmt: skip
"""Families of keys whose last part is a value of a closed list in the package."""


def source(folder: str) -> str:
    return "\n".join(p.read_text() for p in sorted((Path(vertseg.__file__).parent / folder).rglob("*.py")))


def coded(text: str, kind: str) -> set[str]:
    """Codes that are written out in calls of `Remark`, or of `Reason` after its light."""
    light = r'"(?:red|amber)", ' if kind == "Reason" else ""
    return set(re.findall(rf'{kind}\(\s*{light}"(\w+)"', text))


def known_values() -> set[str]:
    remarks = coded(source("planning"), "Remark")
    lights = source("report")
    reasons = coded(lights, "Reason") | set(re.findall(r'_graded\("(\w+)"', lights)) | {"nothing"}
    sins = (Path(vertseg.planning.__file__).parent / "sins.py").read_text()
    found = {
        key.split(".", 1)[1] for key in texts("en") if key.startswith("sins_finding.") and f'"{key.split(".", 1)[1]}"' in sins
    }  # fmt: skip
    return {
        *(f"{family}.{value}" for family, values in FAMILIES.items() for value in values),
        *(f"effect.{effect.key}" for name in INDICATIONS for effect in indication_note(name).effects),
        *(f"remark.{code}" for code in remarks), *(f"reason.{code}" for code in reasons),
        *(f"sins_finding.{value}" for value in found),
        *(f"panel.{name}" for name in re.findall(r'panel\("(\w+)"', SCRIPTS)),
        *(f"sins.{part}" for part in ("location", "pain", "lesion", "alignment", "collapse", "posterolateral")),
    }  # fmt: skip


def written_out() -> set[str]:
    """Keys that the page's scripts and HTML name."""
    keys = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', SCRIPTS)) | set(re.findall(r'\bt\("([a-z_.]+)"', SCRIPTS))
    return {key for key in keys if not key.endswith(".nii")} | set(
        re.findall(r'data-text="([a-z_.]+)"', PAGE)
    )


def test_both_languages_have_the_same_keys_and_places() -> None:
    english, italian = texts("en"), texts("it")
    assert english.keys() == italian.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", italian[key])), key
        assert text.strip() and italian[key].strip()


def test_no_text_is_missing() -> None:
    wanted = known_values() | written_out() | {"language_name"}
    assert wanted - texts("en").keys() == set()


def test_no_text_is_unused() -> None:
    used = known_values() | written_out() | {"language_name"}
    assert texts("en").keys() - used == set()


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="en, it"):
        texts("de")
    assert LANGUAGES == ("en", "it")
