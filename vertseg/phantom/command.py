"""`vertseg phantom scan`, `show` and `cohort`: one scan with all its labels, its picture, or a whole set."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vertseg.errors import ConfigError, DeviceError
from vertseg.labels import level_name
from vertseg.phantom.paint_command import add_paint, run_paint
from vertseg.scans_bar import scans_bar

if TYPE_CHECKING:
    from vertseg.phantom.types import ScanConfig

_SEEDS = 2**63
"""What the generators of random numbers take."""

FIELDS = ("lumbar", "thoracic", "whole", "random")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg phantom`."""
    commands = parser.add_subparsers(dest="phantom_command", metavar="COMMAND", required=True)
    scan = commands.add_parser("scan", help="render one scan with its labels")
    scan.add_argument(
        "output", type=Path, metavar="OUT.nii.gz", help="the CT; labels and truth lie beside it"
    )
    _add_patient(scan)
    show = commands.add_parser("show", help="draw one scan: three cuts, two windows, labels")
    show.add_argument(
        "--output", type=Path, metavar="PNG", help="the picture; phantom_<seed>.png here if left out"
    )
    _add_patient(show)
    cohort = commands.add_parser(
        "cohort",
        help="make a labelled set of scans with injections that leaked or did not",
        description="Make a labelled set of scans for vertseg train. The same seed gives the same files, whatever "
        "the number of workers; a run that was stopped goes on when the same command is given again.",
    )
    cohort.add_argument("--scans", type=int, required=True, metavar="N", help="how many; 2 or more")
    cohort.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the set")
    cohort.add_argument("--seed", type=int, default=0, help="the set; the same seed gives the same files")
    cohort.add_argument("--workers", type=int, default=1, metavar="K", help="processes, of one thread each")
    cohort.add_argument("--quiet", action="store_true", help="no progress bar")
    _add_scanning(cohort, field="random")
    add_paint(commands)


def _add_patient(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="the patient; the same seed gives the same scan")
    parser.add_argument(
        "--case", choices=("random", "demo"), default="random",
        help="demo: L1 collapsed, L3 with a lytic lesion and a broken posterior wall",
    )  # fmt: skip
    _add_scanning(parser, field="lumbar")


def _add_scanning(parser: argparse.ArgumentParser, field: str) -> None:
    parser.add_argument("--field", choices=FIELDS, default=field, help=f"part in view ({field} if left out)")
    parser.add_argument(
        "--spacing", metavar="X,Y,Z", help="voxel spacing in mm; drawn as a clinic has if left out"
    )
    parser.add_argument("--healthy", action="store_true", help="no pathology")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")


def run(options: argparse.Namespace) -> int:
    """Render and write; 0 on success.

    Raises:
        ConfigError: an option that cannot be.
        DeviceError: cuda was asked for and is absent.
        InputError: a label map that cannot be read or painted on.
        OutputError: the file system refused.
    """
    if options.phantom_command == "paint":
        return run_paint(options, _config(options))
    commands = {"scan": _run_scan, "show": _run_show, "cohort": _run_cohort}
    return commands[options.phantom_command](options)


def _run_scan(options: argparse.Namespace) -> int:
    if not str(options.output).endswith((".nii", ".nii.gz")):
        raise ConfigError(f"'{options.output}' must end in .nii or .nii.gz.")
    config = _config(options)
    from vertseg.phantom.files import write_scan
    from vertseg.phantom.memory import keep_freed_memory
    from vertseg.phantom.render import render_scan

    keep_freed_memory()
    scan = render_scan(options.seed, config)
    write_scan(scan, options.output)
    names = ", ".join(level_name(v.level) for v in scan.vertebrae)
    print(f"{options.output}: {' x '.join(map(str, scan.hu.array.shape))} voxels, {names}")
    return 0


def _run_show(options: argparse.Namespace) -> int:
    path = options.output or Path(f"phantom_{options.seed}.png")
    if path.suffix.lower() != ".png":
        raise ConfigError(f"'{path}' must end in .png.")
    config = _config(options)
    from vertseg.phantom.memory import keep_freed_memory
    from vertseg.phantom.render import render_scan
    from vertseg.phantom.show import describe, draw_phantom

    keep_freed_memory()
    scan = render_scan(options.seed, config)
    draw_phantom(scan, path)
    sick = [text for v in scan.vertebrae if (text := describe(scan, v))]
    print("\n".join([*sick, str(path)]))
    return 0


def _run_cohort(options: argparse.Namespace) -> int:
    if options.scans < 2:
        raise ConfigError(
            "--scans must be 2 or more, one to train with and one to validate; for one, use vertseg phantom scan."
        )
    if options.workers < 1:
        raise ConfigError("--workers must be 1 or more.")
    config = _config(options)
    from vertseg.phantom.cohort import CohortSpec, make_cohort

    spec = CohortSpec(options.scans, options.seed, config)
    with scans_bar(options.quiet) as report:
        made = make_cohort(options.output, spec, options.workers, report)
    print(
        f"{options.output}: {spec.scans} scans, {made} of them made now; index.json, leak.csv, contact_sheet.png"
    )
    return 0


def _config(options: argparse.Namespace) -> "ScanConfig":
    if options.seed < 0:
        raise ConfigError("--seed must be 0 or more.")
    if options.seed >= _SEEDS:
        raise ConfigError(f"--seed must be less than {_SEEDS}.")
    spacing = _spacing(options.spacing)
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DeviceError(
                "CUDA was asked for, but torch finds no GPU; leave --device out to use the CPU."
            )
    from vertseg.phantom.types import ScanConfig

    return ScanConfig(
        field=options.field,
        spacing_mm=spacing,
        pathology=0.0 if options.healthy else 1.0,
        case=getattr(options, "case", "random"),
        device=options.device,
    )


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--spacing '{text}' is not three numbers; write it like --spacing 1,1,2."
        ) from None
    if not all(0.3 <= s <= 10 for s in (x, y, z)):
        raise ConfigError(f"--spacing '{text}' must lie between 0.3 and 10 mm.")
    return x, y, z
