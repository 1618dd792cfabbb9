"""Every physical parameter of the injection simulator, with its source and plausible range.

None of them differs between kinds of vertebra: lesions, clefts and fractures act through the site's own masks.
Nine of them (permeability and its reference, displacement, tumour viscosity, the lining of clefts, the yield stress
of high-viscosity cement, the radii and the number of veins) were chosen within their ranges by looking at simulated
cohorts of 128 to 320 vertebrae beside the published statistics, all rows together (`cement.validation`).
"""

from dataclasses import dataclass, field
from typing import Final

LEAK_THRESHOLD_ML: Final = 0.05
"""Cement outside the vertebra, by one route, from which on it counts as a leak."""


@dataclass(frozen=True)
class Rheology:
    """A class of cement.

    Attributes:
        viscosity_pa_s: apparent viscosity when the injection begins.
        yield_stress_pa: shear stress below which the cement does not flow, when the injection begins.
        doubling_s: time in which both double while it cures in the syringe.
    """

    viscosity_pa_s: float
    yield_stress_pa: float
    doubling_s: float


def _rheologies() -> dict[str, Rheology]:
    return {
        "low": Rheology(20.0, 2.0, 150.0),
        "medium": Rheology(100.0, 60.0, 200.0),
        "high": Rheology(800.0, 1700.0, 300.0),
    }


@dataclass(frozen=True)
class InjectionParameters:
    """Physics of bone, marrow, vessels and cement.

    Attributes:
        rheology: viscosity class -> `Rheology`. Spread becomes uniform from about 100 Pa s on (Loeffel 2008,
            Spine 33:1352-9; Baroud 2006, Joint Bone Spine 73:668-74, leaks stop above 180 Pa s in a foam with
            a channel); low 10-50, medium 50-200, high 300-2000 Pa s at the start of injection. The yield
            stress is the least known number here: dough holds its shape under its own weight (some 100 Pa over
            a centimetre), liquid cement does not; range 0-10, 10-100, 100-3000 Pa.
        rheology_scatter: log-normal spread of viscosity and yield stress from batch to batch (0.2-0.5).
        marrow_pa_s: viscosity of marrow: 0.044-0.142 Pa s in 19 men (Biorheology 2011, 48:89-97), 0.04 Pa s in
            cattle above 37 degrees (Bryant 1989).
        tumour_pa_s: the same of soft tumour that fills a lytic lesion; it stands for tissue that must be pushed
            aside: with the defect full of soft tissue, cadaver pressures were 4 times those of a void
            (5.1 against 1.2 kPa; J Orthop Surg Res 2015, 10:20), 5-50 Pa s.
        gas_pa_s: the same of what a cleft holds (gas or serous fluid); bounded from below for the solver.
        permeability_m2: trabecular permeability along (x, y, z) at `reference_bone_volume`. Cleaned cores of 20
            lumbar vertebrae let a fluid like cement through with 3.44e-8 across and 4.45e-8 m2 upright (Baroud
            2004, J Biomech 37:189-96); other human vertebral cores with 3e-11 to 2e-8 m2 (Nauman 1999, Ann
            Biomed Eng 27:517-24). Baroud's values.
        reference_bone_volume: bone share at which those hold, 0.06-0.15 (his donors were old); elsewhere see
            `permeability.kozeny_carman`.
        displacement: share of the pores that cement takes over behind its front; the rest keeps marrow (0.4-0.9;
            an assumption).
        permeability_scatter: log-normal spread that density does not explain, over `scatter_length_mm`. Cores of
            9 mm, which average over several such lengths, spread by 39 % (the same paper, which found bone
            mineral density "a weak predictor"); 0.5-1.2.
        scatter_length_mm: length over which that varies, a few trabecular spacings; 3-6.
        cleft_aperture_mm: width of a cleft; as a slit its permeability is width^2 / 12 (2-6 mm).
        membrane: permeability of the millimetres around a cleft against plain bone: clefts are lined by
            fibrocartilage and sclerotic bone (Lane 2002, AJNR 23:1642-6; Mirovsky 2005), 0.05-0.5.
        membrane_mm: thickness of that lining.
        pore_radius_mm: radius of the vascular pores of intact cortex and endplate; beads of cement (40-100 um)
            do not pass them, marrow does.
        cortical_porosity: area share of those pores (0.02-0.08).
        cortex_mm: thickness of the shell, 0.2-0.6 mm.
        gap_mm: aperture of a crack or defect through cortex or endplate, where cement finds its way into soft
            tissue or disc (0.5-2).
        hole_mm: the same where a lytic lesion has eaten the cortex, a hole that soft tissue fills (2-6).
        gap_length_mm: way from the body through a defect until the flow spreads (3-10).
        crack_mm: how far the crack behind a broken shell runs into the bone (3-15; fractures cross the body, but
            only where the shell is broken is their place known).
        foramen_depth_mm: depth of the basivertebral foramen, a venous lake without bone that narrows forward:
            12.4 +- 2.1 mm in osteoporotic fractures (Chin J Clin Anat 2023, 41:283).
        basivertebral_mm: median and log spread of the radius at which the basivertebral vein leaves a foramen
            of usual size (5.4 +- 1.1 mm high, the same; the vein fills part of it).
        second_basivertebral: share of vertebrae with two foramina: 36.9 % (Tzika 2021, Surg Radiol Anat
            43:889-907).
        segmental_count: mean number of segmental (anterior external) veins that leave the side wall beyond the
            first (1-4).
        segmental_mm: median and log spread of their radius.
        vein_mm: way along a vein of either kind from the wall until it opens into the wide plexus outside (3-15).
        occult_gaps: mean number of gaps in endplates and cortex that no scan shows; endplate lesions are found
            in about half of all lumbar endplates at dissection (Wang 2012, Spine 37:1490-5).
        occult_gap_mm: median and log spread of their radius.
        flow_ml_min: injection rate of the whole vertebra (1-5; 3 in the cadaver study above).
        cannula_mm: radius of the bleb at the cannula's mouth (11 to 13 G).
        tip_jitter_mm: SD of where the operator's tip comes to lie, along each axis.
    """

    rheology: dict[str, Rheology] = field(default_factory=_rheologies)
    rheology_scatter: float = 0.3
    marrow_pa_s: float = 0.1
    tumour_pa_s: float = 5.0
    gas_pa_s: float = 0.05
    permeability_m2: tuple[float, float, float] = (3.44e-8, 3.44e-8, 4.45e-8)
    reference_bone_volume: float = 0.07
    displacement: float = 0.54
    permeability_scatter: float = 0.8
    scatter_length_mm: float = 4.0
    cleft_aperture_mm: float = 3.0
    membrane: float = 0.08
    membrane_mm: float = 2.0
    pore_radius_mm: float = 0.05
    cortical_porosity: float = 0.05
    cortex_mm: float = 0.4
    gap_mm: float = 1.5
    hole_mm: float = 3.0
    gap_length_mm: float = 3.0
    crack_mm: float = 7.5
    foramen_depth_mm: float = 12.4
    basivertebral_mm: tuple[float, float] = (2.2, 0.3)
    second_basivertebral: float = 0.369
    segmental_count: float = 1.5
    segmental_mm: tuple[float, float] = (1.3, 0.4)
    vein_mm: float = 3.0
    occult_gaps: float = 0.4
    occult_gap_mm: tuple[float, float] = (0.8, 0.3)
    flow_ml_min: float = 2.0
    cannula_mm: float = 2.0
    tip_jitter_mm: float = 3.0
