"""Notes on stated indications: each has a source, and none is made up for an unknown one."""

import re

import pytest

from vertseg.errors import ConfigError
from vertseg.planning.indications import INDICATIONS, indication_note


@pytest.mark.parametrize("indication", INDICATIONS)
def test_each_indication_has_effects_with_a_source(indication: str) -> None:
    note = indication_note(indication)
    assert note.indication == indication
    assert note.effects
    for effect in note.effects:
        assert re.search(r"\b(19|20)\d\d\b", effect.source)
        assert effect.sentence.endswith(".")
    keys = [effect.key for other in INDICATIONS for effect in indication_note(other).effects]
    assert len(set(keys)) == len(keys)


def test_an_unknown_indication_is_refused() -> None:
    with pytest.raises(ConfigError, match="metastasis, myeloma"):
        indication_note("trauma")
