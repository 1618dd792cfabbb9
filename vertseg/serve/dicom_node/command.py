"""`vertseg dicom-node`: listens, predicts and sends until it is told to stop."""

import argparse
import logging
import signal
import sys
import threading
import warnings
from pathlib import Path

from vertseg.errors import ConfigError
from vertseg.serve.dicom_node.settings import Limits, NodeSettings, check_aet, parse_peer, parse_web

_LOG = logging.getLogger("vertseg.node")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vertseg dicom-node`."""
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="received series and their results"
    )
    parser.add_argument("--port", type=int, default=11112, help="default 11112; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default 127.0.0.1")
    parser.add_argument("--aet", default="VERTSEG", help="the node's AE title")
    parser.add_argument("--allow", action="append", default=[], metavar="AET", help="a caller that may send")
    parser.add_argument(
        "--send-to", action="append", default=[], metavar="AET@HOST:PORT", help="send results by C-STORE"
    )
    parser.add_argument("--stow", action="append", default=[], metavar="URL", help="send results by STOW-RS")
    parser.add_argument(
        "--complete-on",
        choices=("quiet", "association"),
        default="quiet",
        help="a series is complete when nothing came for a while, or when its sender hung up",
    )
    parser.add_argument("--quiet-seconds", type=float, default=20.0, metavar="S")
    parser.add_argument(
        "--keep-hours", type=float, default=24.0, metavar="H", help="how long images are kept after the end"
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument("--max-object-mb", type=float, default=2048.0, metavar="MB")
    limits.add_argument("--max-instances", type=int, default=5000, metavar="N", help="of one series")
    limits.add_argument("--max-inbox-gb", type=float, default=50.0, metavar="GB")
    limits.add_argument("--max-associations", type=int, default=10, metavar="N")
    engine = parser.add_argument_group("prediction")
    engine.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    engine.add_argument("--engine", metavar="E", default="auto")
    engine.add_argument("--checkpoint-dir", type=Path, metavar="DIR")
    engine.add_argument("--threads", type=int, metavar="N")


def settings_of(arguments: argparse.Namespace) -> NodeSettings:
    """The settings that the options ask for.

    Raises:
        ConfigError: an option that is not possible.
    """
    limits = Limits(
        object_bytes=int(arguments.max_object_mb * 1024**2),
        instances=arguments.max_instances,
        inbox_bytes=int(arguments.max_inbox_gb * 1024**3),
        associations=arguments.max_associations,
    )
    if min(limits.object_bytes, limits.instances, limits.inbox_bytes, limits.associations) < 1:
        raise ConfigError("Every limit must be at least 1.")
    return NodeSettings(
        folder=arguments.output,
        aet=check_aet(arguments.aet),
        host=arguments.host,
        port=arguments.port,
        allow=tuple(arguments.allow),
        complete_on=arguments.complete_on,
        quiet_s=arguments.quiet_seconds,
        keep_s=arguments.keep_hours * 3600,
        targets=(*map(parse_peer, arguments.send_to), *map(parse_web, arguments.stow)),
        limits=limits,
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the node until SIGTERM or Ctrl-C; 0.

    Raises:
        VertsegError: an option, the port, the folder or the weights cannot be used.
    """
    settings = settings_of(arguments)
    from vertseg.inference.engines import open_engine
    from vertseg.report.writer import check_output
    from vertseg.serve.dicom_node.inbox import Inbox
    from vertseg.serve.dicom_node.predictor import predictor
    from vertseg.serve.dicom_node.receiver import Receiver
    from vertseg.serve.dicom_node.work import Worker

    check_output(settings.folder)
    _log_without_names()
    engine = open_engine(arguments.engine, arguments.checkpoint_dir, arguments.device, arguments.threads)
    inbox = Inbox(settings.folder, settings.limits)
    receiver = Receiver(settings, inbox)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    receiver.start()
    _LOG.info("%s listens on %s:%d", settings.aet, settings.host, receiver.port)
    try:
        Worker(settings, inbox, predictor(engine)).run(stop)
    finally:
        receiver.stop()
    _LOG.info("stopped")
    return 0


def _log_without_names() -> None:
    """Our own lines to the screen only: those of pydicom and pynetdicom, and warnings, quote what they read."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("vertseg")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    for name in ("pydicom", "pynetdicom", "dicomweb_client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
