"""`vertseg prepare`: a public or own data set made into an index to train on, with a report of what is wrong."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vertseg.data.sets.names import SETS
from vertseg.errors import ConfigError

_NOTES = """
A table of own scans (folder) has the columns image and level, and may have tissue, lytic_lesion, sclerotic_lesion,
posterior_wall_defect and cement (a mask, or none), annotated (sacrum, other_bone), case, patient and split.

Beside INDEX.json lie INDEX_report.json (what is wrong, case by case) and INDEX_labels/ (converted labels, and what
is finished: the same command goes on after a stop). Exit status 0 with warnings; 2 when nothing is usable, and with
--strict when anything is an error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg prepare`."""
    parser.description = "Make a labelled data set ready to train on, and say what is wrong with it."
    sets = "\n".join(f"  {name:17} {layout}" for name, layout in SETS.items())
    parser.epilog = f"data sets:\n{sets}\n{_NOTES}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", metavar="NAME", help="data set, see below")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder that the set was unpacked into")
    parser.add_argument("--output", type=Path, required=True, metavar="INDEX.json", help="index to write")
    parser.add_argument(
        "--validation-share", type=float, default=0.1, metavar="P",
        help="share of the patients to validate with, where the set has no split of its own (0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--test-share", type=float, default=0.1, metavar="P", help="share of the patients to test with (0.1)"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other patients")
    parser.add_argument("--leak-table", type=Path, metavar="CSV", help="check this table against the index")
    parser.add_argument(
        "--mapping", type=Path, metavar="FILE",
        help="JSON or YAML that says what labels of other names stand for (nnunet, decathlon)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=1, metavar="K", help="processes, a scan in memory each"
    )
    parser.add_argument("--strict", action="store_true", help="write no index where anything is an error")
    parser.add_argument("--fresh", action="store_true", help="make finished cases anew")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no table")


def run(options: argparse.Namespace) -> int:
    """Prepare and write; 0 on success.

    Raises:
        ConfigError: an option that cannot be.
        InputError: a source that cannot be used, or nothing usable in it.
        OutputError: the file system refused.
    """
    if options.output.suffix != ".json":
        raise ConfigError(f"--output '{options.output}' must end in .json.")
    if options.workers < 1:
        raise ConfigError("--workers must be 1 or more.")
    from rich.console import Console

    from vertseg.data.sets.prepare import Request, prepare_set, write_index
    from vertseg.data.sets.report import print_report
    from vertseg.data.sets.splits import Shares

    request = Request(
        set_name=options.name,
        source=options.source,
        index=options.output,
        shares=Shares(options.validation_share, options.test_share, options.seed),
        leak_table=options.leak_table,
        mapping=options.mapping,
        workers=options.workers,
        strict=options.strict,
        fresh=options.fresh,
    )
    with _progress(options.quiet) as progress:
        report = prepare_set(request, progress)
    if not options.quiet:
        print_report(report, Console())
    write_index(request, report)
    print(f"{request.index}: {len(report.usable)} of {len(report.cases)} cases; {request.report}")
    return 0


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with the time left."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bars:
        task = bars.add_task("cases", total=None, visible=False)
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=True)
