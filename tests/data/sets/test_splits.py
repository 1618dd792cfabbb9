import pytest

from vertseg.data.sets.splits import Shares, draw, split_patients
from vertseg.errors import ConfigError

_MANY = [f"patient {n}" for n in range(1000)]


def test_shares_are_kept_and_seeds_differ() -> None:
    chosen = split_patients([(p, None) for p in _MANY], Shares(0.2, 0.1, seed=1))
    counts = [list(chosen.values()).count(part) for part in ("training", "validation", "test")]
    assert counts[0] == pytest.approx(700, abs=45)  # three standard deviations of the draw
    assert counts[1] == pytest.approx(200, abs=38)
    assert counts[2] == pytest.approx(100, abs=29)
    assert chosen != split_patients([(p, None) for p in _MANY], Shares(0.2, 0.1, seed=2))


def test_nobody_moves_when_patients_are_added() -> None:
    few = split_patients([(p, None) for p in _MANY[:200]], Shares())
    many = split_patients([(p, None) for p in reversed(_MANY)], Shares())
    assert all(many[patient] == part for patient, part in few.items())


def test_the_makers_split_is_kept_and_a_patient_goes_to_the_most_held_out_part() -> None:
    scans = [
        ("a", "training"),
        ("b", "validation"),
        ("c", "test"),
        ("a", "test"),
        ("d", "training"),
        ("d", None),
    ]
    chosen = split_patients([(p, part) for p, part in scans], Shares(0.5, 0.5))  # type: ignore[misc]
    assert chosen == {"a": "test", "b": "validation", "c": "test", "d": "training"}


def test_validation_comes_from_the_makers_training_part_when_they_name_none() -> None:
    chosen = split_patients([*((p, "training") for p in _MANY), ("x", "test")], Shares(0.1, 0.5))
    assert list(chosen.values()).count("validation") == pytest.approx(100, abs=29)
    assert list(chosen.values()).count("test") == 1


def test_a_small_set_still_has_patients_to_learn_from_and_to_validate_with() -> None:
    names = [p for p in _MANY if draw(p, 1) > 0.5][:3]
    chosen = split_patients([(p, None) for p in names], Shares())
    assert [p for p, part in chosen.items() if part == "validation"] == [min(names, key=lambda p: draw(p, 1))]
    assert split_patients([(names[0], None)], Shares()) == {names[0]: "training"}
    first = [p for p in _MANY if draw(p, 1) < 0.1][:2]
    assert set(split_patients([(p, None) for p in first], Shares()).values()) == {"training", "validation"}
    assert set(split_patients([(p, None) for p in first], Shares(0, 1)).values()) == {"test"}
    assert "validation" not in split_patients([(p, None) for p in names], Shares(validation=0)).values()


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be from 0 to 1, and 1 at most together"):
        Shares(0.6, 0.5)
