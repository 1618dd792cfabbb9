"""What the page shows, as one JSON object: the report, lights, pictures and what it was made with."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vertseg.inference.findings import Findings
from vertseg.report.attention import attention
from vertseg.report.plain import plain
from vertseg.report.scene import Layer

_HARMLESS: Final = ("modality", "manufacturer", "model", "kernel", "slice_thickness_mm", "format")
"""Keys of a scan's description that cannot name the patient."""


@dataclass(frozen=True)
class PageOptions:
    """How the page is written.

    Attributes:
        language: it opens in, of `texts.LANGUAGES`.
        show_patient: name the input file and repeat its description, which can hold the patient's name.
    """

    language: str = "en"
    show_patient: bool = False


@dataclass(frozen=True)
class Pictures:
    """Pictures by name; a PNG or JPEG each.

    Attributes:
        preview: of the whole scan.
        of_level: level name -> name of the picture ("cuts", "wall", "corridors") -> its bytes.
    """

    preview: bytes | None = None
    of_level: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)


def page_data(
    findings: Findings,
    content: Mapping[str, Any],
    pictures: Pictures,
    layers: Sequence[Layer],
    options: PageOptions,
) -> dict[str, Any]:
    """The page's JSON.

    The input's path is left out unless `show_patient` asks for it: a file's name, or that of its folder, can hold the
    patient's. What is left to tell scans apart is the hash of the file.

    Args:
        findings: of one scan.
        content: `summary.report` of them.
        pictures: to be shown.
        layers: of the viewer.
        options: of the page.
    """
    return {
        **{key: value for key, value in content.items() if key not in ("input", "vertebrae")},
        "language": options.language,
        "scan": _scan(content["input"], options.show_patient),
        "vertebrae": [_vertebra(v, pictures) for v in content["vertebrae"]],
        "preview": None if pictures.preview is None else data_url(pictures.preview),
        "layers": [
            {"name": layer.name, "colours": {str(n): {"rgb": rgb, "name": name} for n, (rgb, name) in layer.colours.items()}}
            for layer in layers
        ],
    }  # fmt: skip


def data_url(picture: bytes) -> str:
    """A PNG or JPEG as a URL that needs no request."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _scan(given: Mapping[str, Any], show_patient: bool) -> dict[str, Any]:
    description = given["description"]
    if not show_patient:
        description = {key: description[key] for key in _HARMLESS if key in description}
    shown = {"sha256": given["sha256"], "shape": given["shape"], "spacing_mm": given["spacing_mm"]}
    name = {"name": Path(given["path"]).name} if show_patient else {}
    return {**shown, **name, "description": description}


def _vertebra(vertebra: Mapping[str, Any], pictures: Pictures) -> dict[str, Any]:
    drawn = pictures.of_level.get(vertebra["level"], {})
    return {
        **vertebra,
        "attention": plain(attention(vertebra)),
        "pictures": {name: data_url(picture) for name, picture in drawn.items()},
    }
