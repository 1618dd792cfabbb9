"""The class table of the label maps."""

from vertseg.labels import SACRUM, TOTALSEGMENTATOR_LEVELS
from vertseg.phantom.painting.label_maps import TOTALSEGMENTATOR_NAMES, tissue_of


def test_the_table_has_the_117_classes_of_the_task_total() -> None:
    assert len(TOTALSEGMENTATOR_NAMES) == 117
    known = {
        1: "spleen",
        25: "sacrum",
        52: "aorta",
        79: "spinal_cord",
        92: "rib_left_1",
        117: "costal_cartilages",
    }
    assert {n: TOTALSEGMENTATOR_NAMES[n] for n in known} == known
    for number, level in TOTALSEGMENTATOR_LEVELS.items():
        assert tissue_of(TOTALSEGMENTATOR_NAMES[number]) == ("sacrum" if level == SACRUM else "vertebra")
