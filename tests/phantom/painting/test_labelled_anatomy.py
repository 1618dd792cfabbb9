"""What is read from a map: sizes, and words for maps that cannot be painted on."""

import pytest

from tests.phantom.painting.conftest import PHANTOM, SEED
from vertseg.errors import ConfigError, InputError
from vertseg.labels import LUMBAR
from vertseg.phantom.painting.labelled_anatomy import LabelledAnatomy, labelled_anatomy
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.volume import Volume


def test_sizes_are_measured_from_the_map(anatomy: LabelledAnatomy) -> None:
    drawn = {s.level: s.sizes for s in draw_anatomy(SEED, PHANTOM).vertebrae}
    for v in anatomy.vertebrae:
        if v.level in anatomy.levels and v.level in LUMBAR:
            assert v.sizes["width"] == pytest.approx(drawn[v.level]["width"], rel=0.12)
            # Measured half way up, where the front is drawn in by the waist.
            middle = drawn[v.level]["depth"] * (1 - 0.7 * drawn[v.level]["waist"])
            assert v.sizes["depth"] == pytest.approx(middle, rel=0.1)
            assert v.sizes["height"] == pytest.approx(drawn[v.level]["height"], abs=4.0)
            # Labels end where edges appear, about a millimetre inside the canal on either side.
            assert v.sizes["canal_width"] == pytest.approx(drawn[v.level]["canal_width"] - 2.0, rel=0.25)


@pytest.mark.parametrize(
    ("change", "scheme", "word"),
    [
        ("empty", "totalsegmentator", "empty"),
        ("unknown", "totalsegmentator", "200"),
        ("organs", "totalsegmentator", "no vertebra"),
        ("none", "verse", "totalsegmentator"),
        ("none", "freesurfer", "known schemes"),
    ],
)
def test_maps_that_cannot_be_painted_are_refused_in_a_sentence(
    labels: Volume, change: str, scheme: str, word: str
) -> None:
    array = labels.array.copy()
    if change == "empty":
        array[:] = 0
    if change == "unknown":
        array[0, 0, 0] = 200
    if change == "organs":
        array[(array > 24) & (array < 51)] = 0
    with pytest.raises((InputError, ConfigError), match=word):
        labelled_anatomy(labels.with_array(array), scheme)  # type: ignore[arg-type]
