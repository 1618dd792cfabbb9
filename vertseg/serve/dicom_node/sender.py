"""Results sent to a DICOM application (C-STORE) or a DICOMweb service (STOW-RS)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
from pynetdicom import AE

from vertseg.errors import VertsegError
from vertseg.serve.dicom_node.settings import Peer, Target
from vertseg.serve.dicom_web import web_client


class SendError(VertsegError):
    """A target that did not take everything."""


def send(files: Sequence[Path], target: Target, aet: str) -> None:
    """Send DICOM files to a target.

    Args:
        files: DICOM files.
        target: whom to.
        aet: our own name.

    Raises:
        SendError: it could not be reached, or refused a file.
    """
    if isinstance(target, Peer):
        _store(files, target, aet)
    else:
        _stow(files, str(target))


def _store(files: Sequence[Path], peer: Peer, aet: str) -> None:
    datasets = [pydicom.dcmread(path) for path in files]
    ae: Any = AE(ae_title=aet)
    ae.acse_timeout, ae.dimse_timeout, ae.network_timeout, ae.connection_timeout = 30, 300, 300, 15
    for kind in sorted({(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in datasets}):
        ae.add_requested_context(*kind)
    association = ae.associate(peer.host, peer.port, ae_title=peer.aet)
    if not association.is_established:
        raise SendError(f"{peer} could not be reached, or does not let '{aet}' in.")
    try:
        for dataset in datasets:
            try:
                answer = association.send_c_store(dataset)
            except ValueError as error:
                raise SendError(f"{peer} does not take {dataset.SOPClassUID.name}.") from error
            status = answer.get("Status")
            # Warnings (PS3.4 B.2.3: B000, B006, B007) mean that it was stored.
            if status is None or (status != 0 and status >> 12 != 0xB):
                raise SendError(
                    f"{peer} refused {dataset.SOPClassUID.name} with status {'none' if status is None else f'{status:04X}'}."
                )
    finally:
        association.release()


def _stow(files: Sequence[Path], url: str) -> None:
    client = web_client(url)
    for path in files:
        try:
            answer = client.store_instances([pydicom.dcmread(path)])
        except Exception as error:  # requests' and the client's own errors have no common base
            raise SendError(f"{url} did not take a DICOM object ({type(error).__name__}).") from error
        if answer.get("FailedSOPSequence"):
            raise SendError(f"{url} refused a DICOM object.")
