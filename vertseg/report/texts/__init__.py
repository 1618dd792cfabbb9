"""The page's texts: one JSON file a language, all with the same keys; nothing else holds words that are shown."""

import json
from importlib.resources import files
from typing import Final

from vertseg.errors import ConfigError

LANGUAGES: Final = ("en", "it")


def texts(language: str) -> dict[str, str]:
    """Texts of a language by key; "{name}" in them is filled in by the page.

    Raises:
        ConfigError: there is no such language.
    """
    if language not in LANGUAGES:
        raise ConfigError(f"'{language}' is no language of the report; it is one of {', '.join(LANGUAGES)}.")
    content = files("vertseg.report.texts").joinpath(f"{language}.json").read_text(encoding="utf-8")
    result: dict[str, str] = json.loads(content)
    return result
