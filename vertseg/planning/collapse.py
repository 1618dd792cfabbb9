"""How much of its height a vertebral body has lost, and in which shape."""

from dataclasses import dataclass
from typing import Literal

CollapseShape = Literal["none", "wedge", "biconcave", "crush"]


@dataclass(frozen=True)
class Collapse:
    """Heights of one body and what of them is lost; None where it cannot be measured.

    Attributes:
        anterior_mm, middle_mm, posterior_mm: heights between the endplates.
        expected_anterior_mm, expected_middle_mm, expected_posterior_mm: those that its neighbours let expect.
        neighbours: names of the levels compared with.
        loss_anterior_percent, loss_middle_percent, loss_posterior_percent: against those; negative where higher.
        loss_percent: the largest of the three, not below 0.
        reference_mm: published posterior height of this level.
        loss_reference_percent: largest loss of the three heights against the published ones, not below 0.
        genant_grade: 0-3.
        shape: of a body of grade 1 or more.
        vertebra_plana: nearly all height is gone in front and behind.
    """

    anterior_mm: float | None = None
    middle_mm: float | None = None
    posterior_mm: float | None = None
    expected_anterior_mm: float | None = None
    expected_middle_mm: float | None = None
    expected_posterior_mm: float | None = None
    neighbours: tuple[str, ...] = ()
    loss_anterior_percent: float | None = None
    loss_middle_percent: float | None = None
    loss_posterior_percent: float | None = None
    loss_percent: float | None = None
    reference_mm: float | None = None
    loss_reference_percent: float | None = None
    genant_grade: int | None = None
    shape: CollapseShape | None = None
    vertebra_plana: bool | None = None
