"""Figures for Prometheus. Their labels are routes and states: never an id, an address or a name."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)


class Metrics:
    """Counters of one server.

    Args:
        waiting: gives the number of jobs that wait or run.
        ready: tells whether a worker is ready.
    """

    def __init__(self, waiting: Callable[[], float], ready: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "vertseg_requests_total", "Answers by route and status.", ("method", "route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self.jobs = Counter(
            "vertseg_jobs_total", "Jobs by how they ended.", ("status",), registry=self._registry
        )
        self.job_seconds = Histogram(
            "vertseg_job_seconds", "From acceptance to the end of a job.", buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self.refused = Counter(
            "vertseg_refused_total", "Requests refused, by reason.", ("reason",), registry=self._registry
        )
        Gauge("vertseg_jobs_waiting", "Jobs that wait or run.", registry=self._registry).set_function(waiting)
        Gauge(
            "vertseg_ready", "1 when a worker has its networks loaded.", registry=self._registry
        ).set_function(ready)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
