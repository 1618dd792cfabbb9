"""After an injection: how much cement lies in a vertebra, and where the rest of it went."""

from dataclasses import dataclass
from typing import Final, Literal

from vertseg.inference.findings import Findings
from vertseg.volume import Volume

Compartment = Literal["canal", "disc_above", "disc_below", "vein", "soft_tissue", "cannula_track"]
COMPARTMENTS: Final[tuple[Compartment, ...]] = (
    "canal", "disc_above", "disc_below", "vein", "soft_tissue", "cannula_track",
)  # fmt: skip
"""Where cement outside of a vertebra can lie: spinal canal, the disc spaces next to it, a vein beside the body
(segmental or paravertebral), soft tissue beside the body, and the way the cannula took, which is no leak route."""


@dataclass(frozen=True)
class CementLeak:
    """One connected piece of cement outside of its vertebra.

    Attributes:
        compartment: where it lies.
        route: one of `labels.LEAK_ROUTES`; None for the cannula's track.
        volume_ml: its volume.
        length_mm: its longest extent, measured along the cast where that is bent.
        reach_mm: largest distance of its cement from the vertebral body's surface.
        centre_mm: (3,) its middle in world RAS.
        elongation: length over mean thickness; tubes in veins have high ones.
    """

    compartment: Compartment
    route: str | None
    volume_ml: float
    length_mm: float
    reach_mm: float
    centre_mm: tuple[float, float, float]
    elongation: float


@dataclass(frozen=True)
class CementSpread:
    """One vertebra's cement.

    Attributes:
        level: VerSe level number.
        cement_ml: all cement of this vertebra, wherever it lies.
        body_ml: the part of it in the vertebral body.
        posterior_ml: the part in its posterior elements (what the cannula left in the pedicle, for example).
        leaked_ml: the part outside of the vertebra.
        filled_share: share of the body's volume that is cement, 0 to 1; None without a body.
        lesion_filled_share: cement in what is left of the lytic lesion's outline, see `cement_spread`; None
            without a lesion.
        compartment_ml: leaked cement by each of `COMPARTMENTS`.
        route_ml: leaked cement by each of `labels.LEAK_ROUTES`.
        leak: whether that counts as a leak, by each of `labels.LEAK_ROUTES`, and "any".
        canal_narrowing_percent: largest share of the canal's cross-section that cement takes, 0 to 100; None where
            the canal is not seen.
        plateau_hu: attenuation of solid cement.
        leaks: the pieces, largest first.
        warnings: sentences for the reader, such as metal nearby.
    """

    level: int
    cement_ml: float
    body_ml: float
    posterior_ml: float
    leaked_ml: float
    filled_share: float | None
    lesion_filled_share: float | None
    compartment_ml: dict[str, float]
    route_ml: dict[str, float]
    leak: dict[str, bool]
    canal_narrowing_percent: float | None
    plateau_hu: float
    leaks: tuple[CementLeak, ...]
    warnings: tuple[str, ...] = ()


def cement_spread(findings: Findings, scan: Volume) -> dict[int, CementSpread]:
    """The cement of every vertebra that holds any, by level number; empty where there is none.

    Args:
        findings: of one scan.
        scan: HU of the same scan, any orientation.
    """
    raise NotImplementedError
