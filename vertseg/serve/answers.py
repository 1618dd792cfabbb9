"""How a job is told to clients."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from vertseg.serve.dispatcher import Step
from vertseg.serve.jobs import Job, Status


class JobView(BaseModel):
    """State of a job."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9f0c2f6e0a5d4b1f8f2d3c4b5a697887", "status": "running", "created": "2026-01-31T08:15:00Z",
                    "started": "2026-01-31T08:15:01Z", "finished": None, "stage": "examine", "done": 4, "total": 9,
                    "error_kind": None, "error": None,
                    "links": {"self": "/v1/jobs/9f0c2f6e0a5d4b1f8f2d3c4b5a697887"},
                }
            ]
        }
    )  # fmt: skip

    id: str
    status: Status
    created: datetime
    started: datetime | None
    finished: datetime | None
    stage: str | None
    done: int | None
    total: int | None
    error_kind: str | None
    error: str | None
    links: dict[str, str]


def view(job: Job, step: Step | None) -> JobView:
    """A job as clients see it; `step` is how far it is while it runs."""
    base = f"/v1/jobs/{job.id}"
    links = {"self": base, "events": f"{base}/events"}
    if job.status == "done":
        links |= {"report": f"{base}/report", "files": f"{base}/files", "archive": f"{base}/archive"}
    running = step if job.status == "running" else None
    return JobView(
        id=job.id,
        status=job.status,
        created=datetime.fromtimestamp(job.created, UTC),
        started=_time(job.started),
        finished=_time(job.finished),
        stage=running.stage if running else None,
        done=running.done if running else None,
        total=running.total if running else None,
        error_kind=job.error_kind,
        error=job.error,
        links=links,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
