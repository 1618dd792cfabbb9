"""Spinal instability neoplastic score (SINS): what the image tells of it, and the range of the total."""

from dataclasses import dataclass
from typing import Literal

Stability = Literal["stable", "potentially_unstable", "unstable"]
Pain = Literal["mechanical", "occasional", "none"]


@dataclass(frozen=True)
class SinsComponent:
    """Points of one of the six components.

    Attributes:
        low, high: least and most points that it may have; equal where it is known.
        finding: key of what was found, such as "junctional", "lytic" or "unknown".
    """

    low: int
    high: int
    finding: str


@dataclass(frozen=True)
class Sins:
    """The score of one vertebra.

    Attributes:
        applicable: whether the vertebra has a lesion at all; the score is made for tumours only.
        location, pain, lesion, alignment, collapse, posterolateral: the components.
        low, high: range of the total, 0-18.
        stability_low, stability_high: classes of those.
    """

    applicable: bool
    location: SinsComponent
    pain: SinsComponent
    lesion: SinsComponent
    alignment: SinsComponent
    collapse: SinsComponent
    posterolateral: SinsComponent
    low: int
    high: int
    stability_low: Stability
    stability_high: Stability
