"""Results come in order, few at a time, and errors where they belong."""

import threading

import pytest

from vertseg.inference import in_threads as module
from vertseg.inference.in_threads import in_threads


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cpu_threads", lambda asked: 3)


def test_results_are_in_order_though_later_tasks_end_first() -> None:
    second_done = threading.Event()

    def work(n: int) -> int:
        if n == 0:
            assert second_done.wait(10)
        if n == 1:
            second_done.set()
        return n * n

    assert list(in_threads(work, range(8))) == [n * n for n in range(8)]


def test_no_more_than_the_threads_results_wait_to_be_taken() -> None:
    started: list[int] = []
    results = in_threads(lambda n: started.append(n) or n, range(50))
    assert next(results) == 0
    assert len(started) <= 4
    assert list(results) == list(range(1, 50))


def test_an_error_is_raised_where_its_result_would_be() -> None:
    def work(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    results = in_threads(work, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)
