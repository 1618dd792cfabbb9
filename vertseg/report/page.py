"""`report.html`: one file that opens offline and asks nothing of any server."""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Any, Final

from vertseg.report.scene import Layer
from vertseg.report.texts import LANGUAGES, texts

_SCRIPTS: Final = (
    "texts", "elements", "chart", "measures", "wall", "sins", "leaks", "access", "spread", "provenance", "levels",
    "viewer", "main",
)  # fmt: skip
_STYLES: Final = ("page.css", "print.css")


def page_html(data: dict[str, Any], layers: Sequence[Layer]) -> str:
    """The page.

    Its content security policy lets only these scripts run, by their hashes, and no connection be made.

    Args:
        data: `page_data.page_data`.
        layers: volumes of the viewer.
    """
    viewer, script = _asset("niivue/niivue.umd.js"), page_script()
    return Template(_asset("page.html")).substitute(
        language=data["language"],
        policy=_policy(viewer, script),
        style="\n".join(_asset(name) for name in _STYLES),
        data=_json(data),
        texts=_json({language: texts(language) for language in LANGUAGES}),
        volumes="\n".join(_volume(layer) for layer in layers),
        viewer=viewer,
        script=script,
    )


def page_script() -> str:
    """The page's own script: its files one after another, apart from the names of anything else."""
    parts = "\n".join(_asset(f"js/{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\nstart();\n}})();\n'


def _policy(*scripts: str) -> str:
    allowed = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    text = files("vertseg.report").joinpath("assets", *name.split("/")).read_text(encoding="utf-8")
    if name.endswith(".js") and "</script" in text:
        raise ValueError(f"{name} would end the element that it stands in")
    return text


def _json(value: Any) -> str:
    """JSON that can stand in a script element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _volume(layer: Layer) -> str:
    encoded = base64.b64encode(layer.nifti).decode()
    return f'<script type="application/gzip" id="volume-{layer.name}">{encoded}</script>'
