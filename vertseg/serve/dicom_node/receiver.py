"""The listening side: C-ECHO and C-STORE of CT (PS3.4 annexes A and B)."""

import logging
from io import BytesIO
from typing import Any, Final

import pydicom
from pydicom.uid import (
    JPEG2000,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from vertseg.errors import OutputError
from vertseg.serve.dicom_node.inbox import Inbox, InboxFull
from vertseg.serve.dicom_node.settings import NodeSettings

CT_CLASSES: Final = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
SYNTAXES: Final = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1,
    JPEGLossless, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000,
)  # fmt: skip
"""What `vertseg.io.dicom` decodes."""

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
MISMATCH: Final = 0xA900
NOT_UNDERSTOOD: Final = 0xC000

_LOG = logging.getLogger("vertseg.node")


class Receiver:
    """Listens from `start` to `stop`, and puts what it gets into an inbox."""

    def __init__(self, settings: NodeSettings, inbox: Inbox) -> None:
        self._settings = settings
        self._inbox = inbox
        self._server: Any = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen, in threads of their own.

        Raises:
            OutputError: the port is taken or not allowed.
        """
        settings = self._settings
        ae: Any = AE(ae_title=settings.aet)
        ae.require_called_aet = True
        ae.require_calling_aet = list(settings.allow)
        ae.maximum_associations = settings.limits.associations
        ae.network_timeout, ae.acse_timeout, ae.dimse_timeout = 60, 30, 60
        ae.add_supported_context(Verification)
        for sop_class in CT_CLASSES:
            ae.add_supported_context(sop_class, list(SYNTAXES))
        handlers = [
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_CONN_CLOSE, lambda event: self._inbox.hung_up(id(event.assoc))),
        ]
        try:
            self._server = ae.start_server((settings.host, settings.port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise OutputError(
                f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}); choose another --port."
            ) from error

    def stop(self) -> None:
        """Hang up on everybody and listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        try:
            data: bytes = event.encoded_dataset()
            header = pydicom.dcmread(
                BytesIO(data),
                stop_before_pixels=True,
                specific_tags=["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"],
            )
            series_uid, instance_uid = str(header.SeriesInstanceUID), str(header.SOPInstanceUID)
        except Exception as error:  # whatever a peer sends must not end the node
            _LOG.warning("an instance could not be understood (%s)", type(error).__name__)
            return NOT_UNDERSTOOD
        if instance_uid != str(event.request.AffectedSOPInstanceUID) or not series_uid:
            return MISMATCH
        try:
            self._inbox.store(series_uid, instance_uid, data, id(event.assoc))
        except (InboxFull, OutputError) as error:
            _LOG.warning("an instance was not taken: %s", type(error).__name__)
            return OUT_OF_RESOURCES
        return SUCCESS
