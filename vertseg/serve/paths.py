"""Where a server keeps what: one folder per job and per image, for its owner's eyes only."""

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from vertseg.errors import ConfigError
from vertseg.io.atomic import output_error


class Places:
    """The folders of one server.

    Args:
        folder: made when absent, with mode 0700.

    Raises:
        OutputError: it cannot be made or written.
        ConfigError: another server uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs = folder / "jobs"
        self.images = folder / "images"
        self.spool = folder / "spool"
        self.audit = folder / "audit.jsonl"
        self.store = folder / "jobs.sqlite"
        try:
            for place in (folder, self.jobs, self.images, self.spool):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "no permission")
            self._lock = (folder / "lock").open("w")
        except OSError as error:
            raise output_error(folder, error) from error
        _claim(self._lock, folder)

    def release(self) -> None:
        """Let another server use the folder."""
        self._lock.close()

    def job(self, job_id: str) -> Path:
        """Folder of a job."""
        return self.jobs / job_id

    def results(self, job_id: str) -> Path:
        """Folder of a job's results; it is there, whole, when the job is done."""
        return self.jobs / job_id / "results"

    def remove_job(self, job_id: str) -> None:
        """Remove all of a job."""
        self.remove_tree(self.job(job_id))

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder; what the file system will not remove stays until the next start."""
        shutil.rmtree(folder, ignore_errors=True)

    def remove_upload(self, job_id: str) -> None:
        """Remove the scan of a job and what was unpacked from it; its results stay."""
        for path in self._of(job_id):
            if path.name == "results":
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def remove_strangers(self, known: set[Path]) -> None:
        """Remove what a killed server left: uploads that became no job or image, and half-received bodies.

        Args:
            known: folders of the jobs and images that there are.
        """
        for path in (*self.jobs.iterdir(), *self.images.iterdir()):
            if path not in known:
                shutil.rmtree(path, ignore_errors=True)
        for path in self.spool.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)

    def _of(self, job_id: str) -> list[Path]:
        folder = self.job(job_id)
        return list(folder.iterdir()) if folder.is_dir() else []


def _claim(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ConfigError(
            f"Another server uses '{folder}'; stop it, or give this one another --folder."
        ) from error
