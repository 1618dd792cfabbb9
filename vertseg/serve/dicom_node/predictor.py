"""One received series predicted: the same path as `vertseg predict`, with the DICOM objects."""

from pathlib import Path

from vertseg.dicom_out.files import dicom_writer
from vertseg.inference.engines import Engine
from vertseg.inference.options import PredictOptions
from vertseg.inference.pipeline import predict
from vertseg.io import read_scan
from vertseg.report.writer import write_outputs
from vertseg.serve.dicom_node.work import Predictor


def predictor(engine: Engine, options: PredictOptions | None = None) -> Predictor:
    """Predicts with an engine that stays loaded, and writes all results with `segmentation.dcm` and `measurements.dcm`."""

    def run(images: Path, result: Path) -> None:
        write = dicom_writer(images, None, with_report=True)
        scan = read_scan(images, as_stored=True)
        findings = predict(scan, options=options, engine=engine)
        for stale in result.glob("*.dcm"):
            stale.unlink()
        write_outputs(findings, scan.volume, result, write)

    return run
