"""Both networks as OpenVINO IR (.xml and .bin)."""

import tempfile
from pathlib import Path

from vertseg.errors import ConfigError
from vertseg.export.onnx import export_onnx
from vertseg.io.atomic import atomic_path
from vertseg.nets.meta import Task


def export_openvino(output: Path, checkpoint_dir: Path | None = None) -> dict[Task, Path]:
    """Write `locate.xml`, `examine.xml` and their `.bin` (float32 weights), converted from the ONNX files.

    The metadata of `export_onnx` stands in the IR's runtime information under `framework`.

    Args:
        output: folder, made if it is not there.
        checkpoint_dir: folder of the weights; None takes the default ones.

    Raises:
        CheckpointError: the weights are absent, damaged or of another version.
        ConfigError: OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise ConfigError("OpenVINO is not installed; get it with: pip install openvino.") from None
    output.mkdir(parents=True, exist_ok=True)
    written: dict[Task, Path] = {}
    with tempfile.TemporaryDirectory() as folder:
        for task, graph in export_onnx(Path(folder), checkpoint_dir).items():
            converted = Path(folder) / f"{task}.xml"
            openvino.save_model(openvino.Core().read_model(graph), converted, compress_to_fp16=False)
            for ending in (".bin", ".xml"):
                with atomic_path(output / f"{task}{ending}") as partial:
                    partial.write_bytes(converted.with_suffix(ending).read_bytes())
            written[task] = output / f"{task}.xml"
    return written
