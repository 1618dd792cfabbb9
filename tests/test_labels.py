"""The one table of numbers, names, colours and codes, against the sources it names."""

from itertools import pairwise

import pytest

from vertseg import labels
from vertseg.errors import ConfigError

CID_7603 = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003",
    "C6": "36054005", "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008",
    "T4": "73071006", "T5": "56401006", "T6": "45296009", "T7": "62487009", "T8": "11068009",
    "T9": "82687006", "T10": "7610001", "T11": "12989004", "T12": "23215003", "L1": "66794005",
    "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003",
}  # fmt: skip
"""DICOM PS3.16, CID 7603 (Vertebra)."""


@pytest.mark.parametrize(("name", "value"), CID_7603.items())
def test_vertebrae_have_the_codes_of_cid_7603(name: str, value: str) -> None:
    code = labels.level_code(labels.level_number(name))
    assert (code.scheme, code.value, code.meaning) == ("SCT", value, f"{name} vertebra")


def test_sacrum_and_coccyx_have_the_codes_of_cid_4() -> None:
    assert labels.level_code(labels.SACRUM).value == "54735007"
    assert labels.level_code(labels.COCCYX).value == "64688005"


def test_codes_agree_with_pydicoms_copy_of_the_standard() -> None:
    codes = pytest.importorskip("pydicom.sr.codedict").codes
    group = codes.cid7603
    listed = {getattr(group, name).value for name in group.dir()}
    assert listed == {labels.level_code(labels.level_number(name)).value for name in CID_7603}


@pytest.mark.parametrize("name", ["L6", "T13"])
def test_levels_without_a_code_use_the_own_scheme(name: str) -> None:
    assert labels.level_code(labels.level_number(name)).scheme == "99VERTSEG"


@pytest.mark.parametrize(
    ("name", "number"),
    [("C1", 1), ("C7", 7), ("T1", 8), ("T12", 19), ("L1", 20), ("L5", 24), ("L6", 25), ("sacrum", 26),
     ("coccyx", 27), ("T13", 28)],
)  # fmt: skip
def test_numbers_are_those_of_verse(name: str, number: int) -> None:
    assert labels.level_number(name) == number
    assert labels.level_name(number) == name


@pytest.mark.parametrize("name", ["l1", " L1 ", "t12", "SACRUM"])
def test_names_are_taken_in_any_case(name: str) -> None:
    assert labels.level_name(labels.level_number(name)).upper() == name.strip().upper()


@pytest.mark.parametrize("name", ["L7", "", "1", "S1", "T14"])
def test_unknown_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"C1, C2, .* T12, T13, L1, .* L6, sacrum, coccyx"):
        labels.level_number(name)


def test_the_column_goes_from_head_to_foot_through_every_level_once() -> None:
    names = [labels.level_name(n) for n in labels.COLUMN_ORDER]
    assert names[18:22] == ["T12", "T13", "L1", "L2"]
    assert names[-3:] == ["L6", "sacrum", "coccyx"]
    assert sorted(labels.COLUMN_ORDER) == list(range(1, labels.N_LEVELS))
    assert [labels.column_position(n) for n in labels.COLUMN_ORDER] == list(range(28))


def test_neighbours_have_clearly_different_colours() -> None:
    for upper, lower in pairwise(labels.COLUMN_ORDER):
        apart = sum(
            abs(a - b) for a, b in zip(labels.level_colour(upper), labels.level_colour(lower), strict=True)
        )
        assert apart > 100, (upper, lower)


@pytest.mark.parametrize(
    ("theirs", "name"),
    [(25, "sacrum"), (26, "sacrum"), (27, "L5"), (31, "L1"), (32, "T12"), (43, "T1"), (44, "C7"), (50, "C1")],
)
def test_totalsegmentators_numbers_map_to_levels(theirs: int, name: str) -> None:
    assert labels.level_name(labels.TOTALSEGMENTATOR_LEVELS[theirs]) == name


def test_every_finding_and_route_has_its_colour_and_name() -> None:
    assert set(labels.FINDING_COLOURS) == set(labels.FINDINGS)
    assert tuple(labels.LEAK_ROUTE_NAMES) == labels.LEAK_ROUTES == ("B", "S", "C", "D")
