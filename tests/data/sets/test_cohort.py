import json
from pathlib import Path

import numpy as np

from tests.data.sets.spine import drawn_spine, save
from vertseg.data.cases import ANNOTATIONS
from vertseg.data.sets.cohort import find_cases
from vertseg.io import read_scan
from vertseg.labels import FINDINGS
from vertseg.phantom.case import CaseSpec, index_entry
from vertseg.phantom.types import ScanConfig


def test_a_cohort_keeps_its_parts_files_and_findings(tmp_path: Path) -> None:
    spine = drawn_spine((22, 23))
    entries = [index_entry(CaseSpec(1, number, ScanConfig())) for number in range(2)]
    for entry in entries:
        save(tmp_path / entry["image"], spine.hu)
        save(tmp_path / entry["level"], spine.level)
        save(tmp_path / entry["tissue"], spine.tissue)
        for path in entry["findings"].values():
            save(tmp_path / path, np.zeros_like(spine.level))
    (tmp_path / "index.json").write_text(json.dumps({"training": entries[:1], "validation": entries[1:]}))
    first, second = find_cases(tmp_path)
    assert (first.name, first.split) == ("case_00000", "training")
    assert (second.name, second.split) == ("case_00001", "validation")
    assert first.annotated == set(ANNOTATIONS)
    assert set(first.in_place) == {"level", "tissue", *FINDINGS}
    labels = first.read_labels(read_scan(first.image).volume)
    assert labels.tissue is not None
    assert np.array_equal(labels.tissue.array, spine.tissue)
