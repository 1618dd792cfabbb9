"""Soft tissue lies where anatomy puts it, with the attenuation that CT shows."""

import numpy as np
import pytest
import torch

from vertseg.phantom.canvas import Canvas
from vertseg.phantom.patient.anatomy import draw_anatomy
from vertseg.phantom.render import paint_patient
from vertseg.phantom.tissue.paraspinal import back_muscles
from vertseg.phantom.tissue.spine_frame import SpineFrame
from vertseg.phantom.tissue.table import BLANKET_RATE, paint_blanket
from vertseg.phantom.tissue.tissues import Tissues, tissues_of
from vertseg.phantom.tissue.torso import Torso
from vertseg.phantom.tissue.trunk import Chest
from vertseg.phantom.tissue.vessels import vessels_of
from vertseg.phantom.types import Anatomy, ScanConfig
from vertseg.volume import Grid

TEXTBOOK = ScanConfig(pathology=0.0, appearance=0.0)
CPU = torch.device("cpu")


def around(anatomy: Anatomy, spot: np.ndarray, size_mm: float = 12.0) -> np.ndarray:
    """HU (12, 12, 12) of a small cube painted at a spot."""
    step = size_mm / 12
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = spot - 0.5 * size_mm
    canvas = Canvas(Grid((12, 12, 12), affine), np.eye(4), 1.0, "cpu")
    paint_patient(canvas, anatomy)
    return np.asarray(canvas.hu.numpy())


@pytest.fixture(scope="module")
def patient() -> tuple[Anatomy, SpineFrame, Tissues]:
    anatomy = draw_anatomy(11, TEXTBOOK)
    return anatomy, SpineFrame(anatomy, CPU), tissues_of(anatomy)


def test_aorta_left_cava_right_in_front_of_the_lumbar_spine() -> None:
    for seed in range(8):
        anatomy = draw_anatomy(seed, TEXTBOOK)
        frame = SpineFrame(anatomy, CPU)
        by_name = {v.name: v for v in vessels_of(frame, anatomy, 60.0)}
        i = frame.at_place(3.0)
        for name, side in (("aorta", -1.0), ("cava", 1.0)):
            points = by_name[name].tube.points
            near = points[np.argmin(np.linalg.norm(points - frame.centres[i], axis=1))]
            u, v = (frame.axes[i].T @ (near - frame.centres[i]))[:2]
            assert side * u > 2.0, name
            assert v > frame.half_depth[i] + 3.0, name


def test_blood_has_its_attenuation(patient: tuple[Anatomy, SpineFrame, Tissues]) -> None:
    anatomy, frame, tissues = patient
    aorta = next(v for v in vessels_of(frame, anatomy, tissues.age) if v.name == "aorta")
    inside = around(anatomy, aorta.tube.points[8], 6.0)
    assert np.median(inside) == pytest.approx(tissues.artery, abs=2.0)


def test_back_muscle_and_canal_have_their_attenuation(
    patient: tuple[Anatomy, SpineFrame, Tissues],
) -> None:
    anatomy, frame, tissues = patient
    i = frame.at_place(3.0)
    psoas = next(m for m in back_muscles(frame, anatomy, tissues.infiltration) if m.name == "psoas")
    right = frame.world(3.0, float(psoas.right[i]) + 2.0, float(psoas.front[i]) + 1.0)
    assert np.median(around(anatomy, right, 8.0)) == pytest.approx(tissues.muscle, abs=12.0)
    sac = frame.world(2.5, 0.0, -float(frame.half_depth[i]) - 0.5 * float(frame.canal_depth[i]))
    assert -60 < np.median(around(anatomy, sac, 5.0)) < 45


def test_psoas_grows_downward_and_multifidus_widens(patient: tuple[Anatomy, SpineFrame, Tissues]) -> None:
    anatomy, frame, tissues = patient
    muscles = {m.name: m for m in back_muscles(frame, anatomy, tissues.infiltration)}
    l1, l3, l4 = (frame.at_place(p) for p in (5.0, 3.0, 2.0))
    psoas, multifidus = muscles["psoas"].half_width, muscles["multifidus"].half_width
    assert psoas[l1] < 0.7 * psoas[l3] < 0.7 * psoas[l4]
    assert multifidus[l1] < multifidus[l3] < multifidus[l4]


def test_skin_encloses_every_spinous_process_and_the_cage() -> None:
    for seed in range(6):
        anatomy = draw_anatomy(seed, TEXTBOOK)
        torso = Torso(anatomy, CPU)
        for shape in anatomy.vertebrae:
            s = shape.sizes
            tip = shape.centre_mm + shape.axes @ np.array(
                [0.0, -s["depth"] / 2 - s["spinous_length"], -6.0 - s["spinous_drop"]]
            )
            p = torch.tensor(tip[None], dtype=torch.float32)
            distance = torso.skin_distance(p, torso.at(p[:, 2]))[0]
            assert float(distance) < -1.0
        chest = list(torso.t.values())
        assert all(torso.value("cage_w", z) < torso.value("skin_w", z) - 5 for z in chest)
        assert all(torso.value("cage_front", z) < torso.value("skin_front", z) - 5 for z in chest)


def test_lungs_hold_air_on_both_sides(patient: tuple[Anatomy, SpineFrame, Tissues]) -> None:
    anatomy, _, tissues = patient
    torso = Torso(anatomy, CPU)
    z = torso.t[6]
    front, back = torso.value("cage_front", z), torso.value("cage_back", z)
    for side in (-1.0, 1.0):
        spot = np.array([side * 0.62 * torso.value("cage_w", z), 0.45 * front + 0.55 * back, z])
        assert np.median(around(anatomy, spot)) == pytest.approx(tissues.lung, abs=60.0)


def test_right_dome_stands_higher() -> None:
    for seed in range(6):
        chest = Chest(Torso(draw_anatomy(seed, TEXTBOOK), CPU), draw_anatomy(seed, TEXTBOOK))
        assert chest.right_top > chest.left_top


def test_age_goes_with_bone_density() -> None:
    drawn = [draw_anatomy(seed, ScanConfig(pathology=0.0)) for seed in range(60)]
    ages = np.array([tissues_of(a).age for a in drawn])
    density = np.array([a.hu["trabecular"] for a in drawn])
    assert np.corrcoef(ages, density)[0, 1] < -0.7
    assert ages.min() >= 22 and ages.max() <= 92


def test_a_blanket_lies_in_front_of_some_patients_and_changes_nothing_in_them() -> None:
    covered = 0
    for seed in range(12):
        anatomy = draw_anatomy(seed, TEXTBOOK)
        torso = Torso(anatomy, CPU)
        affine = np.diag([4.0, 4.0, 4.0, 1.0])
        front = torso.value("skin_front", torso.level_z[20])
        affine[:3, 3] = [-60.0, front - 60.0, torso.level_z[20] - 20.0]
        canvas = Canvas(Grid((30, 25, 10), affine), np.eye(4), 4.0, "cpu")
        canvas.hu[:, :12] = 40.0
        paint_blanket(canvas, torso, anatomy)
        assert bool((canvas.hu[:, :12] == 40.0).all())
        cloth = (canvas.hu > -990.0)[:, 12:]
        if cloth.any():
            covered += 1
            columns = cloth.any(1).float().mean()
            assert columns > 0.9
            assert -970.0 < float(canvas.hu[:, 12:].amax()) < -840.0
    assert covered == sum(np.random.default_rng([seed, 54]).random() < BLANKET_RATE for seed in range(12))
    assert 0 < covered < 12
