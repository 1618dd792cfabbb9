"""Jobs in SQLite: what was accepted is there until it is answered, whatever is killed in between."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from vertseg.errors import OutputError
from vertseg.serve.wishes import Wishes

Status = Literal["queued", "running", "done", "failed", "cancelled"]
FINISHED: Final = ("done", "failed", "cancelled")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, status TEXT NOT NULL, scan TEXT NOT NULL,
  wishes TEXT NOT NULL, key TEXT UNIQUE, failures INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, started REAL,
  finished REAL, error_kind TEXT, error TEXT, kept_s REAL NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_status ON jobs (status, number);
CREATE TABLE IF NOT EXISTS images (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, file TEXT NOT NULL, created REAL NOT NULL, kept_s REAL NOT NULL DEFAULT 0);
"""
_COLUMNS: Final = "id, status, scan, wishes, failures, created, started, finished, error_kind, error"


@dataclass(frozen=True)
class Job:
    """One prediction that was asked for.

    Attributes:
        id: random, hard to guess.
        scan: name of the file in the job's folder.
        failures: how often it was begun and failed for a reason that may pass.
        created, started, finished: seconds since 1970 by this machine's clock; nothing is decided by them.
        error_kind: "input", "limit", "storage", "worker" or "cancelled" where it failed.
        error: the sentence for the user.
    """

    id: str
    status: Status
    scan: str
    wishes: Wishes
    failures: int
    created: float
    started: float | None
    finished: float | None
    error_kind: str | None
    error: str | None


@dataclass(frozen=True)
class Image:
    """An upload of MONAI Label's datastore or session; `kind` says which."""

    id: str
    kind: str
    file: str
    created: float


class Full(Exception):
    """The queue holds as many jobs as it may."""


class JobStore:
    """The jobs of one server. Every change is on the disk when its call returns.

    Args:
        path: of the SQLite file, made when absent.

    Raises:
        OutputError: the file system refuses; of every method too.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._path = path
        with self._told():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def add(self, job_id: str, scan: str, wishes: Wishes, key: str | None, limit: int) -> str:
        """Accept a job; its id, or that of the job accepted before under the same key.

        Raises:
            Full: `limit` jobs wait or run.
        """
        with self._told(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            before = self._one("SELECT id FROM jobs WHERE key = ?", key) if key else None
            if before:
                return str(before[0])
            if self.waiting() >= limit:
                raise Full
            self._db.execute(
                "INSERT INTO jobs (id, status, scan, wishes, key, created) VALUES (?, 'queued', ?, ?, ?, ?)",
                (job_id, scan, json.dumps(asdict(wishes)), key, time.time()),
            )
        return job_id

    def with_key(self, key: str) -> str | None:
        """Id of the job that was accepted under an idempotency key."""
        with self._told():
            row = self._one("SELECT id FROM jobs WHERE key = ?", key)
        return str(row[0]) if row else None

    def get(self, job_id: str) -> Job | None:
        """The job of an id."""
        with self._told():
            row = self._one(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", job_id)
        return _job(row) if row else None

    def begin(self) -> Job | None:
        """The job that has waited longest, now running; None when none waits."""
        with self._told(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = self._one("SELECT id FROM jobs WHERE status = 'queued' ORDER BY number LIMIT 1")
            if row is None:
                return None
            self._db.execute(
                "UPDATE jobs SET status = 'running', started = ? WHERE id = ?",
                (time.time(), row[0]),
            )
            return self.get(row[0])

    def finish(self, job_id: str, status: Status, kind: str | None = None, error: str | None = None) -> bool:
        """End a job that waits or runs; whether it was this call that ended it."""
        with self._told(), self._db:
            changed = self._db.execute(
                "UPDATE jobs SET status = ?, error_kind = ?, error = ?, finished = ? "
                "WHERE id = ? AND status IN ('queued', 'running')",
                (status, kind, error, time.time(), job_id),
            )
            return changed.rowcount == 1

    def requeue(self, job_id: str, blamed: bool) -> None:
        """Put a running job back at its old place in the queue, `blamed` where it may be its own fault."""
        with self._told(), self._db:
            self._db.execute(
                "UPDATE jobs SET status = 'queued', failures = failures + ? WHERE id = ? AND status = 'running'",
                (int(blamed), job_id),
            )

    def with_status(self, *statuses: Status) -> list[Job]:
        """Jobs with one of some states, in the order in which they came."""
        marks = ", ".join("?" for _ in statuses)
        with self._told():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE status IN ({marks}) ORDER BY number", statuses
            ).fetchall()
        return [_job(row) for row in rows]

    def waiting(self) -> int:
        """Jobs that wait or run."""
        with self._told():
            row = self._one("SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')")
        return int(row[0]) if row else 0

    def ids(self) -> set[str]:
        """Ids of all jobs."""
        with self._told():
            return {str(row[0]) for row in self._db.execute("SELECT id FROM jobs")}

    def forget(self, job_id: str) -> None:
        """Remove a job that has ended."""
        with self._told(), self._db:
            self._db.execute(
                "DELETE FROM jobs WHERE id = ? AND status NOT IN ('queued', 'running')", (job_id,)
            )

    def age(self, seconds: float, keep_s: float, upload_s: float) -> tuple[list[str], list[Image]]:
        """Let finished jobs and images grow older; those that have been kept long enough.

        The seconds are the server's own count of its running time, so that a jump of the clock ages nothing.
        """
        with self._told(), self._db:
            self._db.execute(
                "UPDATE jobs SET kept_s = kept_s + ? WHERE status NOT IN ('queued', 'running')", (seconds,)
            )
            self._db.execute("UPDATE images SET kept_s = kept_s + ?", (seconds,))
            jobs = self._db.execute(
                "SELECT id FROM jobs WHERE status NOT IN ('queued', 'running') AND kept_s >= ?", (keep_s,)
            )
            images = self._db.execute(
                "SELECT id, kind, file, created FROM images WHERE kept_s >= ?", (upload_s,)
            )
            return [str(row[0]) for row in jobs], [Image(*row) for row in images]

    def add_image(self, image: Image) -> Image | None:
        """Keep an image; that of the same id, which it takes the place of."""
        with self._told(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = self._one("SELECT id, kind, file, created FROM images WHERE id = ?", image.id)
            self._db.execute(
                "INSERT OR REPLACE INTO images (id, kind, file, created) VALUES (?, ?, ?, ?)",
                (image.id, image.kind, image.file, image.created),
            )
        return Image(*row) if row else None

    def image(self, image_id: str, kind: str) -> Image | None:
        """The image of an id; using it makes it young again."""
        with self._told(), self._db:
            self._db.execute("UPDATE images SET kept_s = 0 WHERE id = ? AND kind = ?", (image_id, kind))
            row = self._one(
                "SELECT id, kind, file, created FROM images WHERE id = ? AND kind = ?", image_id, kind
            )
        return Image(*row) if row else None

    def images(self, kind: str | None = None) -> list[Image]:
        """All images, or those of a kind."""
        with self._told():
            rows = self._db.execute(
                "SELECT id, kind, file, created FROM images WHERE kind = coalesce(?, kind)", (kind,)
            )
            return [Image(*row) for row in rows]

    def forget_image(self, image_id: str) -> None:
        """Remove an image."""
        with self._told(), self._db:
            self._db.execute("DELETE FROM images WHERE id = ?", (image_id,))

    def _one(self, sql: str, *values: object) -> Any:
        return self._db.execute(sql, values).fetchone()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The lock; SQLite's refusals become sentences."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise OutputError(
                    f"The list of jobs ('{self._path.name}') could not be read or written ({error}); if the disk "
                    "is full or read-only, mend that: no accepted job is lost."
                ) from error


def _job(row: tuple[Any, ...]) -> Job:
    return Job(row[0], row[1], row[2], Wishes.of(json.loads(row[3])), *row[4:])
