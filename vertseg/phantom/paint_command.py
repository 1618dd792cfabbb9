"""`vertseg phantom paint`: paint a new CT with new pathology and every label on a real label map."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vertseg.errors import ConfigError
from vertseg.labels import level_name

if TYPE_CHECKING:
    from vertseg.phantom.types import ScanConfig

_SCHEMES: Final = ("totalsegmentator", "verse")
_STRONGEST: Final = 2.0


def add_paint(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command and its options to those of `vertseg phantom`."""
    paint = commands.add_parser("paint", help="paint a scan on a real label map")
    paint.add_argument("labels", type=Path, metavar="LABELS.nii.gz", help="the label map")
    paint.add_argument(
        "output", type=Path, metavar="OUT.nii.gz", help="the CT; labels and truth lie beside it"
    )
    paint.add_argument(
        "--scheme", choices=_SCHEMES, required=True,
        help="what the map's numbers mean: TotalSegmentator v2 (task total), or VerSe's 1-28",
    )  # fmt: skip
    paint.add_argument("--seed", type=int, default=0, help="the patient; the same seed gives the same scan")
    paint.add_argument(
        "--field", choices=("lumbar", "thoracic", "whole", "random"), default="whole",
        help="part of the map in view (whole if left out)",
    )  # fmt: skip
    paint.add_argument(
        "--spacing", metavar="X,Y,Z", help="voxel spacing in mm; drawn as a clinic has if left out"
    )
    paint.add_argument(
        "--deform", type=float, default=1.0, metavar="STRENGTH",
        help="strength of the random deformation (1 if left out); 0 paints the map as it is",
    )  # fmt: skip
    paint.add_argument("--healthy", action="store_true", help="no pathology")
    paint.add_argument(
        "--cache", type=Path, metavar="DIR", help="folder that keeps the map's distances for the next time"
    )
    paint.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    paint.set_defaults(case="random")


def run_paint(options: argparse.Namespace, config: "ScanConfig") -> int:
    """Paint and write; 0 on success.

    Args:
        options: of `add_paint`.
        config: what they say of the scan.

    Raises:
        ConfigError: an option that cannot be.
        InputError: the label map cannot be read or painted on.
        OutputError: the file system refused.
    """
    if not 0 <= options.deform <= _STRONGEST:
        raise ConfigError(f"--deform {options.deform:g} must lie between 0 and {_STRONGEST:g}.")
    if not str(options.output).endswith((".nii", ".nii.gz")):
        raise ConfigError(f"'{options.output}' must end in .nii or .nii.gz.")
    from vertseg.phantom.files import write_scan
    from vertseg.phantom.memory import keep_freed_memory
    from vertseg.phantom.painting.labelled_anatomy import read_labelled_anatomy
    from vertseg.phantom.painting.scan import paint_scan

    keep_freed_memory()
    labelled = read_labelled_anatomy(options.labels, options.scheme, options.cache).to(config.device)
    scan = paint_scan(labelled, options.seed, config, options.deform)
    write_scan(scan, options.output)
    names = ", ".join(level_name(v.level) for v in scan.vertebrae)
    print(f"{options.output}: {' x '.join(map(str, scan.hu.array.shape))} voxels, {names}")
    return 0
