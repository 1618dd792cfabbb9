"""What is wrong with a case, as the report tells it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One finding of a check.

    Attributes:
        check: name of the check, the same for all cases.
        severity: an error leaves the case out of the index.
        sentence: what is wrong and, where something can be done, what.
    """

    check: str
    severity: Severity
    sentence: str

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def error(check: str, sentence: str) -> Problem:
    """A problem that leaves the case out."""
    return Problem(check, "error", sentence)


def warning(check: str, sentence: str) -> Problem:
    """A problem to know of."""
    return Problem(check, "warning", sentence)
