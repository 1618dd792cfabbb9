"""The command line: `vertseg predict`, `plan`, `followup`, `prepare`, `train`, `evaluate`, `dicom-node` and others."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from vertseg import __version__
from vertseg.errors import ConfigError, VertsegError

_COMMANDS: Final = {
    "prepare": ("vertseg.data.sets.command", "Make a labelled data set ready to train on."),
    "evaluate": ("vertseg.evaluation.command", "Figures with intervals on a labelled set."),
    "phantom": ("vertseg.phantom.command", "Render phantom scans."),
    "plan": ("vertseg.planning.command", "Plan the injection of one vertebra."),
    "followup": (
        "vertseg.planning.followup_command",
        "Where injected cement went, beside the risk foreseen.",
    ),
    "export": ("vertseg.export.command", "Write the networks for other runtimes."),
    "serve": ("vertseg.serve.command", "Predictions over HTTP, for 3D Slicer, OHIF and programs."),
    "dicom-node": (
        "vertseg.serve.dicom_node.command",
        "Receive CT series, send segmentations and reports back.",
    ),
    "cluster": ("vertseg.inference.cluster", "Predict a folder over the nodes of a Ray cluster."),
}
"""Commands with a module of their own: it has `add_arguments` and `run`."""

_EXTRAS: Final = {
    "torch": "torch", "monai": "torch", "safetensors": "torch", "lightning": "train", "jsonargparse": "train",
    "yaml": "train", "wandb": "train", "onnx": "export", "onnxscript": "export", "pydicom": "dicom",
    "highdicom": "dicom", "pynetdicom": "node", "dicomweb_client": "node", "sklearn": "evaluate",
    "SimpleITK": "followup", "fastapi": "serve", "uvicorn": "serve", "starlette": "serve",
    "prometheus_client": "serve", "python_multipart": "serve", "httpx": "serve", "ray": "cluster",
}  # fmt: skip
"""The extra that brings a package."""

_EPILOG = "Research software: not a medical device. Cement leak risks are provisional, learned from phantoms."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status: 0, 2 after an error that the user can mend, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except VertsegError as error:
        print(f"vertseg: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f"vertseg: this needs {error.name}, which is not installed; get it with: pip install 'vertseg[{extra}]'.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("vertseg: interrupted; nothing half-written is left.", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    # These bring their own options and large libraries, so they are only loaded when called.
    if arguments[:1] == ["train"]:
        from vertseg.training.command import train_command

        return train_command(arguments[1:])
    if arguments and arguments[0] in _COMMANDS:
        name, *rest = arguments
        module, description = _COMMANDS[name]
        command = import_module(module)
        parser = argparse.ArgumentParser(prog=f"vertseg {name}", description=description, epilog=_EPILOG)
        command.add_arguments(parser)
        return int(command.run(parser.parse_args(rest)))
    options = _parser().parse_args(arguments)
    if options.command == "predict":
        from vertseg.inference.command import run as run_predict

        return run_predict(options)
    print(f"vertseg {__version__}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vertseg",
        description="Vertebrae and the bone missing from them, on spine CT.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"vertseg {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    predict = commands.add_parser(
        "predict", help="vertebrae and findings of one or more scans", description="Predict.", epilog=_EPILOG
    )
    add_predict_arguments(predict)
    commands.add_parser("train", help="train a network (vertseg train --help)", add_help=False)
    for name, (_, description) in _COMMANDS.items():
        about = description[0].lower() + description[1:-1]
        commands.add_parser(name, help=f"{about} (vertseg {name} --help)", add_help=False)
    commands.add_parser("version", help="print the version")
    return parser


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg predict`, shared with `scripts/infer.py`."""
    parser.add_argument(
        "scans", nargs="*", type=Path, metavar="SCAN",
        help="NIfTI file, DICOM folder, file or zip; or one folder of many of them",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR",
        help="folder for the results; with several scans one folder each in it",
    )  # fmt: skip
    parser.add_argument("--levels", metavar="L1,L2", help="examine and report these levels only")
    parser.add_argument(
        "--point", metavar="X,Y,Z",
        help="examine and report the vertebra at this point only (world mm: right, front, head); --point=-12,30,55",
    )  # fmt: skip
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--engine", metavar="E", default="auto",
        help="auto (the fastest that is installed), torch, onnxruntime, openvino or tensorrt",
    )  # fmt: skip
    parser.add_argument("--series", metavar="UID", help="DICOM series, where a folder holds several")
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="folder with other weights")
    parser.add_argument(
        "--cement-ml", type=float, metavar="ML", help="planned cement volume, for the leak risk"
    )
    parser.add_argument("--viscosity", metavar="V", help="low, medium or high, for the leak risk")
    parser.add_argument("--approach", metavar="A", help="unipedicular or bipedicular, for the leak risk")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads, of all workers together")
    parser.add_argument("--quiet", action="store_true", help="no progress bars and no table")
    add_report_arguments(parser)
    web = parser.add_argument_group("DICOMweb", "A scan out of a PACS, instead of SCAN; needs vertseg[node].")
    web.add_argument("--dicomweb", metavar="URL", help="the service, such as https://pacs/dicom-web")
    web.add_argument(
        "--study", metavar="UID", help="StudyInstanceUID; --series where it has several CT series"
    )
    dicom = parser.add_argument_group(
        "DICOM",
        "Objects on the frames of a DICOM scan, written beside the other results; needs vertseg[dicom].",
    )
    dicom.add_argument(
        "--dicom-seg", action="store_true", help="segmentation.dcm: vertebrae, parts and findings"
    )
    dicom.add_argument(
        "--dicom-sr",
        action="store_true",
        help="segmentation.dcm and measurements.dcm: measures and leak risks (TID 1500)",
    )
    many = parser.add_argument_group(
        "a folder of scans",
        "The results of each scan lie in DIR under the scan's own path, with finished.json; what is finished is "
        "skipped when the command is given again. summary.csv has all vertebrae.",
    )
    many.add_argument("--workers", type=int, metavar="N", help="processes; on several GPUs one GPU each")
    many.add_argument("--shard", metavar="I/N", help="the I-th of N parts only, for the tasks of a job array")
    many.add_argument(
        "--match",
        metavar="GLOB",
        help="only scans whose file name, or path in the folder, is like 'ct*.nii.gz'",
    )


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `report.html`, shared by the commands that write one."""
    from vertseg.report.texts import LANGUAGES

    parser.add_argument(
        "--report", action=argparse.BooleanOptionalAction, default=None,
        help="plan every vertebra and write report.html; left out by default for a folder of many scans",
    )  # fmt: skip
    parser.add_argument("--language", choices=LANGUAGES, default="en", help="the report opens in")
    parser.add_argument(
        "--show-patient", action="store_true",
        help="name the input file in report.html, and repeat its description; both can hold the patient's name",
    )  # fmt: skip


def parse_point(text: str | None) -> tuple[float, float, float] | None:
    """World coordinates in mm of "x,y,z"; None for None.

    Raises:
        ConfigError: it is not three numbers.
    """
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--point needs three numbers in mm like --point=-12,30,55, not '{text}'."
        ) from None
    return x, y, z


def parse_levels(text: str | None) -> tuple[int, ...] | None:
    """Level numbers of "L1,L2"; None for None.

    Raises:
        ConfigError: a name is not a level, or there is none.
    """
    from vertseg.labels import level_number

    if text is None:
        return None
    names = [name for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError("--levels names no level; write it like --levels L1,L2.")
    return tuple(level_number(name) for name in names)
