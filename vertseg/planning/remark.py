"""A thing to tell the reader of a plan: a code to translate by, the English sentence, and its numbers."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Remark:
    """One remark.

    Attributes:
        code: stable name, such as "pedicle_too_narrow"; what other languages are looked up by.
        sentence: the English sentence, with its numbers.
        values: the numbers of the sentence by name, units in the names.
    """

    code: str
    sentence: str
    values: dict[str, float] = field(default_factory=dict)
