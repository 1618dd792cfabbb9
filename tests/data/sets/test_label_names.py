import pytest

from vertseg.data.sets.label_names import NOTHING, Meaning, known_meaning, meaning_of
from vertseg.errors import ConfigError
from vertseg.labels import (
    COCCYX,
    COLUMN_ORDER,
    FINDINGS,
    LEVEL_NAMES,
    SACRUM,
    TOTALSEGMENTATOR_LEVELS,
    LocateClass,
)
from vertseg.phantom.painting.label_maps import TOTALSEGMENTATOR_NAMES, tissue_of

BODY, POSTERIOR, BONE = LocateClass.BODY, LocateClass.POSTERIOR, LocateClass.OTHER_BONE


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("L1", 20), ("l1", 20), ("vertebrae_L1", 20), ("vertebra L1", 20), ("L1 vertebra", 20), ("lumbar 1", 20),
        ("Lumbar_vertebra_1", 20), ("First lumbar vertebra", 20), ("1st lumbar vertebra", 20), ("T12 vertebra", 19),
        ("Th12", 19), ("Twelfth thoracic vertebra", 19), ("D12", 19), ("thoracic-07", 14), ("C7", 7), ("Atlas", 1),
        ("T13", 28), ("L6", 25), ("sacrum", SACRUM), ("coccyx", COCCYX),
    ],
)  # fmt: skip
def test_levels_are_known_by_many_names(name: str, level: int) -> None:
    assert meaning_of(name) == Meaning(level=level)


def test_every_level_and_finding_is_known_by_its_own_name() -> None:
    assert [meaning_of(LEVEL_NAMES[n]) for n in COLUMN_ORDER] == [Meaning(level=n) for n in COLUMN_ORDER]
    assert [m.finding for m in map(meaning_of, FINDINGS) if m] == list(FINDINGS)


def test_every_structure_of_totalsegmentator_is_known_for_what_it_is() -> None:
    for number, name in TOTALSEGMENTATOR_NAMES.items():
        meaning = meaning_of(name)
        assert meaning is not None, name
        assert meaning.level == TOTALSEGMENTATOR_LEVELS.get(number), name
        assert (meaning.tissue == BONE) == (tissue_of(name) == "bone"), name


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("S1 vertebra", Meaning(level=SACRUM, piece="S1")),
        ("L1 body", Meaning(level=20, tissue=BODY)),
        ("T5_posterior_elements", Meaning(level=12, tissue=POSTERIOR)),
        ("vertebral body", Meaning(tissue=BODY)),
        ("posterior elements", Meaning(tissue=POSTERIOR)),
        ("left hip", Meaning(tissue=BONE, piece="hip")),
        ("rib_left_12", Meaning(tissue=BONE, piece="rib")),
        ("other_bone", Meaning(tissue=BONE)),
        ("Osteolytic lesion", Meaning(finding="lytic_lesion")),
        ("blastic_metastasis", Meaning(finding="sclerotic_lesion")),
        ("bone cement", Meaning(finding="cement")),
        ("posterior_wall_defect", Meaning(finding="posterior_wall_defect")),
        ("ignore", NOTHING),
        ("intervertebral_disc", NOTHING),
    ],
)  # fmt: skip
def test_parts_bones_findings_and_what_is_none_of_them(name: str, meaning: Meaning) -> None:
    assert meaning_of(name) == meaning


@pytest.mark.parametrize(
    "name",
    ["vertebra", "vertebrae", "spine", "lesion", "mixed lytic blastic", "L5/S1", "L4 L5 disc", "L1 nerve", "L7", "C8", "bone",
     "T0", "S9", "screw", "iliac_artery", "tumor", "label 1", ""],
)  # fmt: skip
def test_what_is_not_sure_stays_unknown(name: str) -> None:
    assert meaning_of(name) is None


def test_a_persons_word_that_is_not_known_is_refused_with_the_words_that_are() -> None:
    assert known_meaning("L2", "map.json, 'one'").level == 21
    with pytest.raises(
        ConfigError, match=r"map\.json, 'one': 'spine' is not known; give a level .'L1'.*'ignore'"
    ):
        known_meaning("spine", "map.json, 'one'")
