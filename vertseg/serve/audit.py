"""The audit log: who did what to which job, and nothing of any patient.

One JSON object per line: time (UTC), event, client address, and job, status and size where they apply. Names that a
client chose (files, images, descriptions) are never written.
"""

import json
import logging
import os
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_LOG = logging.getLogger("vertseg.serve")
_RECENT: Final = 1000


class Audit:
    """Appends to a file that its owner alone can read, and remembers the last lines.

    A full disk silences the file, not the server; the server's log says so then.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._recent: deque[str] = deque(maxlen=_RECENT)

    def write(self, event: str, client: str = "-", **values: str | int | float | None) -> None:
        """Append an event."""
        entry = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "client": client,
        }
        line = json.dumps({**entry, **{k: v for k, v in values.items() if v is not None}})
        with self._lock:
            self._recent.append(line)
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(line + "\n")
            except OSError as error:
                _LOG.error("the audit log cannot be written: %s", error.strerror)

    def recent(self, lines: int) -> list[str]:
        """The last lines."""
        with self._lock:
            return list(self._recent)[-lines:] if lines > 0 else []
