"""A scan kept in memory: the column once, then any vertebra for its own crop only."""

import threading

import numpy as np
import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, dice, hu_of
from vertseg import PredictOptions, predict
from vertseg.errors import ConfigError, InputError
from vertseg.inference.session import ScanSession
from vertseg.labels import level_number

NAMES = "T12 L1 L2 L3"
SPINE = draw_spine(NAMES, sacrum=True)
L2 = level_number("L2")
BEHIND_L2 = tuple(float(x) for x in SPINE.centres_mm[L2] - [0, 25, 0])


class Counting(Oracle):
    windows = 0

    def locate(self, image):  # type: ignore[no-untyped-def]
        Counting.windows += 1
        return super().locate(image)


@pytest.fixture
def session() -> ScanSession:
    return ScanSession(hu_of(SPINE), Counting(NAMES.split()))


def test_a_point_examines_its_vertebra_and_no_other(session: ScanSession) -> None:
    found = session.predict(PredictOptions(point_mm=BEHIND_L2))
    assert [v.level for v in found.vertebrae] == [L2]
    assert session.engine.examined == 1
    assert set(np.unique(found.levels.array)) == {0, L2}
    assert dice(found.levels.array == L2, SPINE.level == L2) > 0.95


def test_the_column_is_found_once_whatever_is_asked(session: ScanSession) -> None:
    first = session.predict(PredictOptions(point_mm=BEHIND_L2))
    windows = Counting.windows
    second = session.predict(PredictOptions(levels=(level_number("T12"),)))
    assert Counting.windows == windows
    assert "locate" in first.seconds and "locate" not in second.seconds


def test_threads_that_come_together_find_the_column_once() -> None:
    Counting.windows = 0
    alone = ScanSession(hu_of(SPINE), Counting(NAMES.split()))
    alone.column()
    windows, Counting.windows = Counting.windows, 0
    shared = ScanSession(hu_of(SPINE), Counting(NAMES.split()))
    threads = [threading.Thread(target=shared.column) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counting.windows == windows


def test_a_session_gives_what_predict_gives(session: ScanSession) -> None:
    session.predict(PredictOptions(point_mm=BEHIND_L2))
    whole = session.predict()
    alone = predict(hu_of(SPINE), engine=Oracle(NAMES.split()))
    np.testing.assert_array_equal(whole.levels.array, alone.levels.array)
    np.testing.assert_array_equal(whole.tissue.array, alone.tissue.array)
    assert [v.measures for v in whole.vertebrae] == [v.measures for v in alone.vertebrae]


def test_every_voxel_of_a_vertebra_means_that_vertebra(session: ScanSession) -> None:
    rng = np.random.default_rng(7)
    for level in SPINE.centres_mm:
        voxels = np.argwhere(SPINE.level == level)
        for voxel in voxels[rng.integers(0, len(voxels), 5)]:
            assert session.vertebra_at(SPINE.grid.world(voxel)).level == level


def test_a_point_far_from_the_spine_is_refused_with_the_nearest_vertebra(session: ScanSession) -> None:
    far = tuple(float(x) for x in SPINE.centres_mm[L2] + [90, 0, 0])
    with pytest.raises(InputError, match=r"within 25 mm .* nearest, L\d, is \d+ mm away"):
        session.predict(PredictOptions(point_mm=far))


def test_a_point_and_levels_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="one of them"):
        PredictOptions(point_mm=(0, 0, 0), levels=(L2,))
    with pytest.raises(ConfigError, match="three numbers"):
        PredictOptions(point_mm=(0.0, float("nan"), 0.0))
