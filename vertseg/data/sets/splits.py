"""Which part a patient belongs to: the makers' own split where there is one, else drawn from the patient's name."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vertseg.data.sets.found import Split
from vertseg.errors import ConfigError

_HELD_OUT_FIRST: Final[tuple[Split, ...]] = ("test", "validation", "training")


@dataclass(frozen=True)
class Shares:
    """Shares of the patients that are held out, and the seed of the draw.

    Raises:
        ConfigError: a share is not from 0 to 1, or both together are more than 1.
    """

    validation: float = 0.1
    test: float = 0.1
    seed: int = 1

    def __post_init__(self) -> None:
        if not (0 <= self.validation <= 1 and 0 <= self.test <= 1 and self.validation + self.test <= 1):
            raise ConfigError(
                f"The shares {self.validation:g} (validation) and {self.test:g} (test) must be from 0 to 1, and 1 at "
                "most together."
            )


def split_patients(scans: Iterable[tuple[str, Split | None]], shares: Shares) -> dict[str, Split]:
    """Part of each patient; a patient's place depends on the seed and its name, not on who else is there.

    A patient whom the makers put into several parts goes whole to the most held-out one. Where the makers name no
    validation part, it is drawn from their training part. Where the draw leaves training or validation empty though
    a share of it was wanted, as happens in small sets, the patient nearest to the limit is moved there.

    Args:
        scans: patient and the makers' part of every scan.
        shares: of the patients that the makers did not place.
    """
    placed: dict[str, Split | None] = {}
    for patient, part in scans:
        before = placed.setdefault(patient, part)
        if part is not None and (before is None or _rank(part) < _rank(before)):
            placed[patient] = part
    by_makers = {part for part in placed.values() if part is not None}
    chosen: dict[str, Split] = {}
    for patient, part in placed.items():
        if part is None:
            chosen[patient] = _drawn(draw(patient, shares.seed), shares)
        elif part == "training" and "validation" not in by_makers:
            held = draw(patient, shares.seed) < shares.validation
            chosen[patient] = "validation" if held else "training"
        else:
            chosen[patient] = part
    free = [patient for patient, part in placed.items() if part is None]
    _fill_empty(chosen, free, shares)
    return chosen


def _fill_empty(chosen: dict[str, Split], free: list[str], shares: Shares) -> None:
    """Move a patient into training and one into validation, where the draw left them empty against the shares."""

    def limit(patient: str) -> float:
        return draw(patient, shares.seed)

    if shares.validation + shares.test < 1 and free and "training" not in chosen.values():
        chosen[max(free, key=limit)] = "training"
    if shares.validation > 0 and "validation" not in chosen.values():
        training = [patient for patient, part in chosen.items() if part == "training"]
        test = [patient for patient in free if chosen[patient] == "test"]
        if len(training) > 1:
            chosen[min(training, key=limit)] = "validation"
        elif test:
            chosen[max(test, key=limit)] = "validation"


def draw(patient: str, seed: int) -> float:
    """A number in [0, 1) that depends on the patient's name and the seed alone."""
    digest = hashlib.sha256(f"{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _drawn(number: float, shares: Shares) -> Split:
    if number < shares.test:
        return "test"
    return "validation" if number < shares.test + shares.validation else "training"


def _rank(part: Split) -> int:
    return _HELD_OUT_FIRST.index(part)
