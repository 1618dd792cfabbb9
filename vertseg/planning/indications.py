"""What is known of leaks by indication. The user states the indication; it is never guessed from the image."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

Indication = Literal["osteoporotic", "metastasis", "myeloma", "angioma", "osteoid_osteoma"]
INDICATIONS: Final[tuple[str, ...]] = get_args(Indication)


@dataclass(frozen=True)
class KnownEffect:
    """A published finding on leaks under one indication.

    Attributes:
        key: names the sentence in the report's texts.
        sentence: in English.
        source: paper.
    """

    key: str
    sentence: str
    source: str


@dataclass(frozen=True)
class IndicationNote:
    """An indication that the user stated, and what is published of its leaks; the risks are not changed by it.

    Attributes:
        indication: as stated.
        effects: published findings, each with its source.
    """

    indication: Indication
    effects: tuple[KnownEffect, ...]


def indication_note(indication: str) -> IndicationNote:
    """What is known of a stated indication.

    Raises:
        ConfigError: it is not one of `INDICATIONS`.
    """
    raise NotImplementedError
