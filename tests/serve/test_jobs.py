"""The list of jobs: order, ends, limits, and what happens when the disk or the clock does not do what it should."""

import sqlite3
import time
from pathlib import Path

import pytest

from vertseg.errors import OutputError
from vertseg.serve.jobs import Full, Image, JobStore
from vertseg.serve.wishes import Wishes


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "jobs.sqlite")


def add(store: JobStore, name: str, key: str | None = None, limit: int = 9) -> str:
    return store.add(name, "scan.nii", Wishes(levels=("l1",), point_mm=None, cement_ml=4.0), key, limit)


def test_jobs_begin_in_the_order_in_which_they_came_and_each_only_once(store: JobStore) -> None:
    for name in "cab":
        add(store, name)
    assert [job.id for _ in "123" if (job := store.begin())] == ["c", "a", "b"]
    assert store.begin() is None


def test_wishes_come_back_as_they_were_given(store: JobStore) -> None:
    store.add("a", "scan.nii", Wishes(point_mm=(1.0, -2.5, 3.0), viscosity="high", series="3"), None, 9)
    job = store.get("a")
    assert job is not None
    assert job.wishes == Wishes(point_mm=(1.0, -2.5, 3.0), viscosity="high", series="3")


def test_a_key_gives_the_same_job_and_counts_once(store: JobStore) -> None:
    assert add(store, "a", key="k", limit=1) == "a"
    assert add(store, "b", key="k", limit=1) == "a"
    assert store.waiting() == 1


def test_no_more_than_the_limit_wait_or_run(store: JobStore) -> None:
    add(store, "a", limit=2)
    store.begin()
    add(store, "b", limit=2)
    with pytest.raises(Full):
        add(store, "c", limit=2)
    assert store.get("c") is None


def test_a_job_ends_once(store: JobStore) -> None:
    add(store, "a")
    store.begin()
    assert store.finish("a", "done")
    assert not store.finish("a", "failed", "worker", "too late")
    job = store.get("a")
    assert job is not None and job.status == "done" and job.error is None


def test_a_requeued_job_keeps_its_place_and_its_blame(store: JobStore) -> None:
    add(store, "a")
    add(store, "b")
    store.begin()
    store.requeue("a", blamed=True)
    job = store.begin()
    assert job is not None and (job.id, job.failures) == ("a", 1)
    store.requeue("a", blamed=False)
    job = store.begin()
    assert job is not None and (job.id, job.failures) == ("a", 1)


def test_everything_is_there_after_opening_again_without_closing(tmp_path: Path, store: JobStore) -> None:
    add(store, "a")
    add(store, "b")
    store.begin()
    again = JobStore(tmp_path / "jobs.sqlite")
    assert [(j.id, j.status) for j in again.with_status("queued", "running")] == [
        ("a", "running"),
        ("b", "queued"),
    ]


def test_a_jump_of_the_clock_ages_nothing(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "a")
    store.begin()
    store.finish("a", "done")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 365 * 86_400)
    assert store.age(30, keep_s=3600, upload_s=600) == ([], [])
    monkeypatch.setattr(time, "time", lambda: now - 10 * 365 * 86_400)
    assert store.age(30, keep_s=3600, upload_s=600) == ([], [])
    assert store.age(3540, keep_s=3600, upload_s=600)[0] == ["a"]


def test_jobs_that_wait_never_grow_old(store: JobStore) -> None:
    add(store, "a")
    assert store.age(1e9, keep_s=1, upload_s=1) == ([], [])


def test_an_image_that_is_used_grows_young_again(store: JobStore) -> None:
    store.add_image(Image("i", "session", "f/scan.nii", 0.0))
    store.age(50, keep_s=1, upload_s=60)
    assert store.image("i", "session") is not None
    assert store.age(50, keep_s=1, upload_s=60)[1] == []
    assert [image.id for image in store.age(50, keep_s=1, upload_s=60)[1]] == ["i"]


def test_a_full_disk_is_a_sentence_and_accepts_nothing(store: JobStore) -> None:
    class FullDisk:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        def __enter__(self) -> "FullDisk":
            return self

        def __exit__(self, *_: object) -> None:
            return None

    real = store._db
    store._db = FullDisk()  # type: ignore[assignment]
    with pytest.raises(OutputError, match="disk is full"):
        add(store, "a")
    store._db = real
    assert store.ids() == set()


def test_a_read_only_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="could not be read or written"):
        JobStore(tmp_path / "absent" / "jobs.sqlite")
