"""`vertseg export`: the networks for other runtimes."""

import argparse
from pathlib import Path

from vertseg.errors import ConfigError

FORMATS = ("onnx", "openvino", "bundle")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg export`."""
    parser.add_argument("format", choices=FORMATS, help="onnx files, OpenVINO IR, or a MONAI bundle")
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
    from vertseg.export.onnx import export_onnx

    if arguments.linked and arguments.format != "onnx":
        raise ConfigError("--linked is for vertseg export onnx.")
    if arguments.format != "onnx":
        raise ConfigError(f"vertseg export {arguments.format} is not there yet; export onnx.")
    for path in export_onnx(arguments.output, arguments.checkpoint_dir, arguments.linked).values():
        print(path)
    return 0
