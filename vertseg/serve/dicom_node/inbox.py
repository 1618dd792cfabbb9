"""Received series on disk: what has arrived, how far each has come, and what was made of it.

A series lies in a folder named by a hash of its UID, so that no name says whose it is:

    images/    the received instances, each under a hash of its UID
    result/    what the prediction wrote
    state.json how far it has come

Everything is written whole or not at all, so that a node that was killed goes on where it was.
"""

import hashlib
import json
import shutil
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

from vertseg.errors import VertsegError
from vertseg.io.atomic import atomic_path, write_text
from vertseg.serve.dicom_node.settings import Limits

Status = Literal["collecting", "predicted", "done", "failed"]
_STATE: Final = "state.json"
_BEFORE: Final = -1
"""Stands for the associations of before a restart."""


class InboxFull(VertsegError):
    """An instance that cannot be taken because a limit is reached."""


@dataclass(frozen=True)
class State:
    """How far a series has come.

    Attributes:
        status: collecting images, predicted but not yet sent everywhere, done, or failed.
        attempts: predictions begun; more than a few mean that the series kills the process.
        sent: targets that have the results.
        sentence: why it failed, or what was odd.
        ended: Unix time when it was done or failed, 0 before.
    """

    status: Status = "collecting"
    attempts: int = 0
    sent: tuple[str, ...] = ()
    sentence: str = ""
    ended: float = 0.0


class Inbox:
    """The folder of all series; its methods may be called from several threads.

    Args:
        root: made when absent.
        limits: how much is taken.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self._limits = limits
        self._lock = threading.RLock()
        root.mkdir(parents=True, exist_ok=True)
        for stale in root.glob("*/**/.partial-*"):
            stale.unlink(missing_ok=True)
        self._arrived = dict.fromkeys(self.series(), time.monotonic())
        # Who was sending when the node was stopped may come back, so nothing is complete yet.
        self._open: dict[str, set[int]] = {key: {_BEFORE} for key in self._arrived}
        self._bytes = sum(path.stat().st_size for path in root.glob("*/images/*"))

    def series(self) -> list[str]:
        """Keys of all series, in alphabetical order."""
        return sorted(p.name for p in self.root.iterdir() if (p / "images").is_dir() or (p / _STATE).exists())

    def images(self, key: str) -> Path:
        """Folder of a series' received instances."""
        return self.root / key / "images"

    def result(self, key: str) -> Path:
        """Folder of what was made of a series."""
        return self.root / key / "result"

    def store(self, series_uid: str, instance_uid: str, data: bytes, association: int) -> str:
        """Keep one instance; the key of its series. What is there already is left as it is.

        An instance that comes after the prediction makes the series be predicted anew.

        Args:
            series_uid: of its series.
            instance_uid: its own.
            data: the file's bytes.
            association: the sender's, which may bring more of this series.

        Raises:
            InboxFull: a limit is reached.
            OutputError: the disk is full, or the file system refuses otherwise.
        """
        key = _hashed(series_uid)
        path = self.images(key) / f"{_hashed(instance_uid)}.dcm"
        with self._lock:
            senders = self._open.setdefault(key, set())
            senders.discard(_BEFORE)
            senders.add(association)
            self._arrived[key] = time.monotonic()
            if path.exists():
                return key
            self._check_room(key, len(data))
            with atomic_path(path) as partial:
                partial.write_bytes(data)
            self._bytes += len(data)
            if self.state(key).status != "collecting":
                self.set_state(key, State())
        return key

    def hung_up(self, association: int) -> None:
        """An association has ended; it brings nothing more."""
        with self._lock:
            for senders in self._open.values():
                senders.discard(association)

    def quiet_s(self, key: str) -> float:
        """Seconds since something of the series came; since the start of the node after a restart."""
        with self._lock:
            return time.monotonic() - self._arrived.setdefault(key, time.monotonic())

    def is_being_sent(self, key: str) -> bool:
        """Whether an association that brought some of the series is still open."""
        with self._lock:
            return bool(self._open.get(key))

    def state(self, key: str) -> State:
        """How far a series has come; a state that cannot be read is begun anew."""
        try:
            values = json.loads((self.root / key / _STATE).read_text(encoding="utf-8"))
            return State(**{**values, "sent": tuple(values["sent"])})
        except (OSError, ValueError, TypeError, KeyError):
            return State()

    def set_state(self, key: str, state: State) -> None:
        """Write down how far a series has come."""
        with self._lock:
            if state.status in ("done", "failed") and not state.ended:
                state = replace(state, ended=time.time())
            write_text(self.root / key / _STATE, json.dumps(asdict(state)))

    def set_state_if_unchanged(self, key: str, seen: int, state: State) -> bool:
        """`set_state`; where instances came since `seen` of them were counted the series begins anew instead.

        Returns:
            Whether `state` was set.
        """
        with self._lock:
            if self.count(key) != seen:
                self.set_state(key, State())
                return False
            self.set_state(key, state)
            return True

    def count(self, key: str) -> int:
        """Instances of a series that are there."""
        folder = self.images(key)
        return (
            sum(1 for p in folder.iterdir() if p.suffix == ".dcm" and p.name[0] != ".")
            if folder.is_dir()
            else 0
        )

    def remove_images(self, key: str) -> None:
        """Delete a series' received instances."""
        with self._lock:
            self._bytes -= sum(p.stat().st_size for p in self.images(key).glob("*"))
            shutil.rmtree(self.images(key), ignore_errors=True)

    def remove(self, key: str) -> None:
        """Delete a series with all that was made of it."""
        with self._lock:
            self.remove_images(key)
            shutil.rmtree(self.root / key, ignore_errors=True)
            self._arrived.pop(key, None)
            self._open.pop(key, None)

    def _check_room(self, key: str, size: int) -> None:
        if size > self._limits.object_bytes:
            raise InboxFull("An instance is larger than the node takes; raise --max-object-mb.")
        if self._bytes + size > self._limits.inbox_bytes:
            raise InboxFull("The node's inbox is full; raise --max-inbox-gb or wait until series are sent.")
        if self.count(key) >= self._limits.instances:
            raise InboxFull("A series has more instances than the node takes; raise --max-instances.")


def _hashed(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:24]
