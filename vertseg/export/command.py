"""`vertseg export`: the networks for other runtimes."""

import argparse
from pathlib import Path

from vertseg.errors import ConfigError

FORMATS = ("onnx", "openvino", "bundle", "triton")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg export`."""
    parser.add_argument(
        "format",
        choices=FORMATS,
        help="onnx files, OpenVINO IR, a MONAI bundle, or a Triton model repository",
    )
    parser.add_argument("--output", type=Path, default=Path("export"), metavar="DIR")
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", help="folder with other weights")
    parser.add_argument(
        "--linked", action="store_true",
        help="onnx: leave the weights in the checkpoint beside it; --output is the checkpoints' folder",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Write what was asked for; 0.

    Raises:
        VertsegError: the weights or the options cannot be used.
    """
    if arguments.linked and arguments.format != "onnx":
        raise ConfigError("--linked is for vertseg export onnx.")
    if arguments.format == "bundle":
        from vertseg.export.bundle import export_bundle

        print(export_bundle(arguments.output, arguments.checkpoint_dir))
        return 0
    if arguments.format == "openvino":
        from vertseg.export.openvino import export_openvino

        written = export_openvino(arguments.output, arguments.checkpoint_dir)
    elif arguments.format == "triton":
        from vertseg.export.triton import export_triton

        written = export_triton(arguments.output, arguments.checkpoint_dir)
    else:
        from vertseg.export.onnx import export_onnx

        written = export_onnx(arguments.output, arguments.checkpoint_dir, arguments.linked)
    for path in written.values():
        print(path)
    return 0
