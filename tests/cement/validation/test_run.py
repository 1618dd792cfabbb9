"""The run over the cohort: shards are kept and read again, and only the physics, seed and code start it anew."""

import importlib.util
from dataclasses import replace

import pytest

from vertseg.cement.parameters import InjectionParameters
from vertseg.cement.routes import ROUTES
from vertseg.cement.validation import run
from vertseg.cement.validation.cohort_mix import draw_cohort
from vertseg.cement.validation.run import SHARD, RunConfig, Treatment, run_cohort, treat
from vertseg.errors import ConfigError


@pytest.fixture
def injected(monkeypatch):
    """Cases that were injected, in order, by a stand-in that leaks by the case's number."""
    done = []

    def stand_in(vertebrae, config):
        done.extend(v.case for v in vertebrae)
        return [
            Treatment(
                v.case, v.patient, v.population, v.level, v.severity, v.height_loss, v.cleft, False, 0.0, 0.0,
                0.0, v.lesion, v.foramen_mm, v.trabecular_hu, 20.0, v.plan.volume_ml, v.plan.viscosity,
                v.plan.approach, dict.fromkeys(ROUTES, v.case / 100), 1.0,
            )
            for v in vertebrae
        ]  # fmt: skip

    monkeypatch.setattr(run, "treat", stand_in)
    return done


def test_a_stopped_run_goes_on_with_what_is_missing(tmp_path, injected):
    config = RunConfig(3 * SHARD)
    whole = run_cohort(config, tmp_path)
    assert injected == list(range(3 * SHARD))
    injected.clear()
    lost = tmp_path / config.fingerprint() / "shard_0001.json"
    lost.unlink()
    assert run_cohort(config, tmp_path) == whole
    assert injected == list(range(SHARD, 2 * SHARD))


def test_a_longer_cohort_uses_the_shorter_ones_shards(tmp_path, injected):
    short = run_cohort(RunConfig(SHARD - 3), tmp_path)
    assert len(short) == SHARD - 3
    injected.clear()
    longer = run_cohort(RunConfig(SHARD + 5), tmp_path)
    assert longer[: SHARD - 3] == short
    assert injected == list(range(SHARD, 2 * SHARD))


def test_fingerprint_changes_with_physics_seed_and_voxel_and_not_with_size():
    base = RunConfig(10).fingerprint()
    assert RunConfig(2000).fingerprint() == base
    thinner = RunConfig(10, parameters=replace(InjectionParameters(), marrow_pa_s=0.3))
    prints = {base, thinner.fingerprint(), RunConfig(10, seed=1).fingerprint()}
    assert len(prints | {RunConfig(10, spacing_mm=2.0).fingerprint()}) == 4


def test_fingerprint_looks_past_comments_and_docstrings(tmp_path):
    def module(name, text):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return run._meaning(loaded)

    plain = module("plain", "def f(x):\n    return x + 1\n")
    told = module("told", '"""Told."""\n\n\ndef f(x):\n    """One more."""\n    return x + 1  # one\n')
    changed = module("changed", "def f(x):\n    return x + 2\n")
    assert plain == told != changed


def test_progress_is_told_up_to_the_whole_cohort(tmp_path, injected):
    told = []
    run_cohort(RunConfig(SHARD + 1), tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, SHARD + 1), (SHARD, SHARD + 1), (SHARD + 1, SHARD + 1)]


def test_an_empty_cohort_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="give 1 or more"):
        run_cohort(RunConfig(0), tmp_path)


def test_two_real_vertebrae_conserve_their_cement_and_repeat():
    cohort, config = draw_cohort(2, seed=3), RunConfig(2, spacing_mm=2.0)
    first = treat(cohort, config)
    assert first == treat(cohort, config)
    for row, vertebra in zip(first, cohort, strict=True):
        assert row.volume_ml == vertebra.plan.volume_ml
        assert 0 <= sum(row.leaked_ml.values()) <= row.volume_ml
        assert set(row.leaked_ml) == set(ROUTES)
