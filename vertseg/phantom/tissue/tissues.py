"""Attenuation of soft tissues in one patient: age, contrast phase, fat in muscle."""

from dataclasses import dataclass

import numpy as np

from vertseg.phantom.types import Anatomy

BLOOD_HU = 42.0
"""Unenhanced blood; `patient.anatomy` adds contrast on top of it."""


@dataclass(frozen=True)
class Tissues:
    """HU of one patient's soft tissues, and what ages them.

    Attributes:
        age: years, drawn to go with the bone density.
        infiltration: share (0 to 1) of the back muscles' wasting and fat.
        fat: adipose tissue.
        muscle: muscle without fat.
        artery: aorta and arteries.
        vein: cava and veins.
        cortex: renal cortex.
        medulla: renal medulla.
        urine: renal pelvis and bladder.
        liver: liver.
        spleen: spleen.
        disc: disc substance.
        sac: thecal sac.
        lung: lung parenchyma.
    """

    age: float
    infiltration: float
    fat: float
    muscle: float
    artery: float
    vein: float
    cortex: float
    medulla: float
    urine: float
    liver: float
    spleen: float
    disc: float
    sac: float
    lung: float


def tissues_of(anatomy: Anatomy) -> Tissues:
    """Tissues of a patient; the same patient has the same.

    Trabecular bone loses about 2 HU a year from about 230 HU at 30 (L1; Jang et al., Radiology 2019;291:360),
    which gives the age. Kidney and liver enhancement by phase are textbook values (arterial: cortex bright,
    liver little; portal venous: kidney even, liver +50 to +60 HU).
    """
    rng = np.random.default_rng([anatomy.seed, 40])
    hu = anatomy.hu
    age = float(np.clip(30.0 + (230.0 - hu["trabecular"]) / 2.2 + rng.normal(0, 9), 22, 92))
    artery, vein = hu["artery"], hu["vein"]
    contrast = max(0.0, artery - BLOOD_HU)
    venous = float(np.clip((vein - BLOOD_HU) / max(contrast, 1.0), 0.0, 1.0)) if contrast > 10 else 0.0
    late = float(rng.uniform(0.0, 1.0)) < 0.25 and venous > 0.6
    steatosis = float(rng.uniform(10, 45)) if rng.random() < 0.22 else 0.0
    cortex = 34.0 + contrast * (0.75 - 0.15 * venous)
    medulla = 32.0 + contrast * (0.2 + 0.42 * venous)
    wasting = float(np.clip((age - 35.0) / 70.0 + rng.normal(0, 0.18), 0.0, 0.95))
    return Tissues(
        age=age,
        infiltration=0.3 * wasting + 0.45 * anatomy.trunk["marbling"] * wasting,
        fat=hu["fat"],
        muscle=hu["muscle"],
        artery=artery,
        vein=vein,
        cortex=cortex,
        medulla=medulla,
        urine=float(rng.uniform(300, 900)) if late else float(rng.uniform(0, 18)),
        liver=56.0 + float(rng.normal(0, 5)) - steatosis + min(contrast, 200.0) * 0.32 * venous,
        spleen=48.0 + float(rng.normal(0, 4)) + min(contrast, 260.0) * (0.3 + 0.1 * venous),
        disc=hu["disc"],
        sac=float(np.clip(hu["canal"], 8.0, 34.0)),
        lung=hu["lung"],
    )
