"""What patients suffer from: shares, steering of crops, the demonstration patient."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.phantom.sick import healthy, paint
from vertseg.labels import CERVICAL, FINDINGS, LUMBAR, THORACIC
from vertseg.phantom.pathology.mix import PATIENT_MIX, add_pathology, draw_condition
from vertseg.phantom.pathology.sickness import Sickness, diseased, redrawn, with_sickness
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.types import ScanConfig, VertebraShape

BOOST = 2.2


def kinds(shape: VertebraShape) -> set[str]:
    return {lesion.kind for lesion in shape.lesions}


def test_vertebrae_looked_at_by_themselves_show_each_finding_often_enough() -> None:
    shape, anatomy = healthy()
    rng = np.random.default_rng(1)
    drawn = [diseased(shape, anatomy.hu, BOOST, rng) for _ in range(1200)]
    count: Counter[str] = Counter()
    for s in drawn:
        k = kinds(s)
        count["lytic"] += bool(k & {"lytic_lesion", "mixed_lesion"})
        count["sclerotic"] += bool(k & {"sclerotic_lesion", "mixed_lesion"})
        count["cement"] += s.cement is not None
        count["fracture"] += s.fracture is not None
        labelled = bool(k & {"lytic_lesion", "mixed_lesion", "sclerotic_lesion"}) or s.cement is not None
        count["clean"] += not labelled and s.fracture is None and s.wall_hole is None
    share = {name: n / len(drawn) for name, n in count.items()}
    assert share["lytic"] > 0.4 and share["sclerotic"] > 0.12
    # Crops have more of these two, from patients who came broken or treated.
    assert share["cement"] > 0.065 and share["fracture"] > 0.22
    assert 0.22 < share["clean"] < 0.4
    never = [diseased(shape, anatomy.hu, 0.0, rng) for _ in range(200)]
    assert all(s.fracture is None and s.cement is None and s.wall_hole is None for s in never)
    assert not any(kinds(s) & {"lytic_lesion", "sclerotic_lesion", "mixed_lesion"} for s in never)


@pytest.mark.parametrize(
    ("sickness", "finding", "darker"),
    [
        ("lytic", 0, True),
        ("myeloma", 0, True),
        ("sclerotic", 1, False),
        ("mixed", 1, False),
        ("treated", 3, False),
    ],
)
def test_what_is_labelled_is_seen(sickness: Sickness, finding: int, darker: bool) -> None:
    _, anatomy = healthy()
    before = paint(lambda s: s)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        after = paint(
            lambda s, rng=rng: replace(
                with_sickness(s, sickness, anatomy.hu, rng), fracture=None, sizes=s.sizes
            )
        )  # type: ignore[misc]
        mask = after.finding(finding) & before.mine
        assert mask.any(), FINDINGS[finding]
        change = (after.hu - before.hu)[mask]
        assert float(change.median()) < -35 if darker else float(change.median()) > 150
        # Cortex inside a dense lesion was bright before.
        seen = (change < -20) if darker else (after.hu[mask] > 320)
        assert float(seen.float().mean()) > 0.8


def test_conditions_come_as_often_as_stated_for_marrow_of_middling_density() -> None:
    rng = np.random.default_rng(7)
    hus = [{"trabecular": float(t)} for t in rng.uniform(40, 270, 3000)]
    seen = Counter(draw_condition(ScanConfig(), hu, rng) for hu in hus)
    for name, share in PATIENT_MIX.items():
        assert seen[name] / len(hus) == pytest.approx(share, abs=0.06)
    thin = Counter(draw_condition(ScanConfig(), {"trabecular": 70.0}, rng) for _ in range(1500))
    dense = Counter(draw_condition(ScanConfig(), {"trabecular": 200.0}, rng) for _ in range(1500))
    assert thin["osteoporotic"] > 2.5 * dense["osteoporotic"]
    assert dense["trauma"] > 2 * thin["trauma"]


def test_disease_comes_by_patient() -> None:
    config, rng = ScanConfig(), np.random.default_rng(11)
    anatomy = draw_anatomy(3, ScanConfig(pathology=0.0))
    tumours = []
    for _ in range(150):
        column = add_pathology(anatomy.vertebrae, config, anatomy.hu, rng)
        tumours.append(
            sum(bool(kinds(s) & {"lytic_lesion", "sclerotic_lesion", "mixed_lesion"}) for s in column)
        )
        assert not any(s.lesions or s.fracture for s in column if s.level in CERVICAL)
    sick = np.array([n for n in tumours if n > 0])
    assert 0.2 < len(sick) / len(tumours) < 0.55
    assert sick.mean() > 3


def test_no_pathology_means_none() -> None:
    for s in draw_anatomy(9, ScanConfig(pathology=0.0)).vertebrae:
        assert (s.lesions, s.schmorl, s.fracture, s.wall_hole, s.cement, s.screws) == (
            (),
            (),
            None,
            None,
            None,
            None,
        )


def test_demonstration_patient_has_exactly_two_sick_vertebrae() -> None:
    sick = {
        s.level: s for s in draw_anatomy(5, ScanConfig(case="demo")).vertebrae if s.lesions or s.height_loss
    }
    assert set(sick) == {LUMBAR[0], LUMBAR[2]}
    assert sick[LUMBAR[0]].height_loss == 0.5 and not sick[LUMBAR[0]].lesions
    (lesion,) = sick[LUMBAR[2]].lesions
    assert lesion.kind == "lytic_lesion" and lesion.breaks_cortex and lesion.shell_left == 0


def test_redrawn_vertebra_lets_those_above_sink_and_leaves_the_rest() -> None:
    anatomy = draw_anatomy(3, ScanConfig(pathology=0.0))
    level = LUMBAR[0]
    at = [s.level for s in anatomy.vertebrae].index(level)
    for seed in range(60):
        new = redrawn(anatomy, level, BOOST, np.random.default_rng(seed))
        lost = new.vertebrae[at].sizes.get("lost_mm", 0.0)
        drop = anatomy.vertebrae[0].centre_mm - new.vertebrae[0].centre_mm
        assert np.allclose(drop, lost * anatomy.vertebrae[at].axes[:, 2])
        below = zip(anatomy.vertebrae[at + 1 :], new.vertebrae[at + 1 :], strict=True)
        assert all(np.array_equal(a.centre_mm, b.centre_mm) and a.lesions == b.lesions for a, b in below)
        if lost > 4:
            break
    assert lost > 4
    neck = redrawn(anatomy, CERVICAL[3], BOOST, np.random.default_rng(0))
    assert neck is anatomy


def test_same_seed_same_patient() -> None:
    first, second = draw_anatomy(21, ScanConfig()), draw_anatomy(21, ScanConfig())
    assert repr(first.vertebrae) == repr(second.vertebrae)
    assert any(s.level in THORACIC for s in first.vertebrae)
