"""The files and the multipart answers that MONAI Label's clients read."""

import json
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vertseg.errors import ConfigError
from vertseg.io import write_nifti
from vertseg.report.writer import REPORT
from vertseg.serve.labelling import LabelModel, present
from vertseg.serve.nrrd import Segment, nrrd_bytes
from vertseg.volume import Volume

_ENDINGS: Final = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii")


@dataclass(frozen=True)
class Answer:
    """How a client wants its label map.

    Attributes:
        ending: of the file.
        packed: whether an NRRD is compressed.
    """

    ending: str = ".nrrd"
    packed: bool = False

    @classmethod
    def asked(cls, params: dict[str, Any]) -> "Answer":
        """From the `params` of MONAI Label: `result_extension` and `result_compress`.

        Raises:
            ConfigError: an ending that is not written.
        """
        ending = params.get("result_extension") or ".nrrd"
        if ending not in _ENDINGS:
            raise ConfigError(
                f"Label maps are written as {', '.join(_ENDINGS)}, not as that result_extension."
            )
        return cls(ending, bool(params.get("result_compress")))


def label_answer(
    results: Path, model: LabelModel, form: Answer, job_id: str
) -> tuple[dict[str, Any], str, bytes]:
    """What is told of a label map, and the map as a file: its name and bytes.

    `label_names` and `label_colors` name the labels that are in the map, and only those.
    """
    volume = model.read(results)
    names = present(volume, model)
    told = {
        "label_names": names,
        "label_colors": {name: list(model.segments[number].colour) for name, number in names.items()},
        "job": job_id,
        "centroids": _centroids(results),
    }
    shown = {number: model.segments[number] for number in names.values()}
    return told, f"vertseg-{secrets.token_hex(8)}{form.ending}", _file(volume, shown, form)


def multipart(told: dict[str, Any], name: str, content: bytes) -> tuple[bytes, str]:
    """The answer with `params` and `image`, and its content type.

    It has no part lengths and is sent whole, for 3D Slicer's client parses it with Python's `cgi`.
    """
    boundary = f"vertseg{secrets.token_hex(16)}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\nContent-Type: application/json\r\n\r\n'
        f'{json.dumps(told)}\r\n--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return (
        head.encode() + content + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


def _file(volume: Volume, segments: dict[int, Segment], form: Answer) -> bytes:
    if form.ending.endswith(".nrrd"):
        return nrrd_bytes(volume, segments if form.ending == ".seg.nrrd" else None, form.packed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{form.ending}"
        write_nifti(path, volume)
        return path.read_bytes()


def _centroids(results: Path) -> dict[str, list[float]]:
    report = json.loads((results / REPORT).read_text(encoding="utf-8"))
    return {v["level"]: v["centroid_mm"] for v in report["vertebrae"]}
