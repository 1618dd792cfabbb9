"""The dataset.json of nnU-Net and of the Medical Segmentation Decathlon, and a person's own mapping of its labels."""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from vertseg.data.sets.label_names import WORDS_FOR_MEANINGS, Meaning, known_meaning, meaning_of
from vertseg.data.sets.numbered_labels import NumberedLabels, numbered_labels
from vertseg.errors import ConfigError, InputError

_NAME: Final = "dataset.json"


def read_dataset_json(source: Path) -> dict[str, Any]:
    """Content of a set's dataset.json.

    Raises:
        InputError: it is missing or no JSON object with labels.
    """
    path = source / _NAME
    if not path.is_file():
        raise InputError(
            f"'{source}' holds no {_NAME}; give the folder of one data set, in which that file lies."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' is not JSON ({error}); mend it.") from None
    if not isinstance(content, dict) or not isinstance(content.get("labels"), dict):
        raise InputError(f"'{path}' names no 'labels'; add them as the set's format says.")
    return content


def ct_channel(content: Mapping[str, Any], path: Path) -> tuple[int, int]:
    """Number of the CT's channel and how many channels there are.

    nnU-Net 2 calls them `channel_names`, the Decathlon and nnU-Net 1 `modality`.

    Raises:
        InputError: no channel is called CT.
    """
    channels = content.get("channel_names", content.get("modality"))
    if not isinstance(channels, dict) or not channels:
        raise InputError(
            f"'{path}' does not say what its channels are ('channel_names' or 'modality'); add that."
        )
    for number, name in channels.items():
        words = re.split(r"[^a-z0-9]+", str(name).casefold())
        if ("ct" in words or "cta" in words) and str(number).isdigit():
            return int(number), len(channels)
    listed = ", ".join(f"'{name}'" for name in channels.values())
    raise InputError(
        f"'{path}' is no set of CT scans: its channels are {listed}, and vertseg reads CT only; if one of them is CT "
        "in HU, call it 'CT' there."
    )


def labels_of(content: Mapping[str, Any], path: Path, mapping: Path | None) -> NumberedLabels:
    """What the numbers of a set's maps mean, by their names and a person's mapping, which goes first.

    Raises:
        ConfigError: a label is not known (the sentence lists all and shows how to map them), or see
            `numbered_labels`.
        InputError: 'labels' is not as the formats have it.
    """
    named = _named_numbers(content["labels"], path)
    mapped = _mapped(named, mapping)
    meanings: list[tuple[Meaning, tuple[int, ...]]] = []
    unknown: dict[str, tuple[int, ...]] = {}
    for name, numbers in named.items():
        meaning = mapped.get(name)
        # nnU-Net's own "ignore" is no background: nobody looked at those voxels.
        if meaning is None and name.casefold() != "ignore":
            meaning = meaning_of(name)
        if meaning is None:
            unknown[name] = numbers
        else:
            meanings.append((meaning, numbers))
    if unknown:
        listed = ", ".join(f"'{name}' ({', '.join(map(str, numbers))})" for name, numbers in unknown.items())
        example = json.dumps({next(iter(unknown)): "L1"})
        raise ConfigError(
            f"{path} has labels that vertseg does not know: {listed}. Give a mapping, a JSON or YAML file "
            f"that says of each name or number what it is: {WORDS_FOR_MEANINGS}; for example {example}."
        )
    return numbered_labels(meanings, path)


def _named_numbers(labels: Mapping[str, Any], path: Path) -> dict[str, tuple[int, ...]]:
    """Numbers by name without the background: {"L1": 1}, regions {"spine": [1, 2]} or {"1": "L1"}."""
    named: dict[str, tuple[int, ...]] = {}
    for key, value in labels.items():
        by_number = str(key).isdigit() and isinstance(value, str) and not value.isdigit()
        name, numbers = (value, key) if by_number else (str(key), value)
        try:
            listed = tuple(int(n) for n in (numbers if isinstance(numbers, list | tuple) else [numbers]))
        except (TypeError, ValueError):
            raise InputError(
                f"'{path}' has a label {key!r}: {value!r}; a name and its number (or numbers) are needed."
            ) from None
        if name in named:
            raise InputError(f"'{path}' names two labels '{name}'; give each a name of its own.")
        if listed != (0,):
            named[name] = listed
    return named


def _mapped(named: Mapping[str, tuple[int, ...]], mapping: Path | None) -> dict[str, Meaning]:
    """A person's meanings by name of the set's label."""
    if mapping is None:
        return {}
    names = {
        **{str(n[0]): name for name, n in named.items() if len(n) == 1},
        **{name: name for name in named},
    }
    meanings = {}
    for key, word in _read_mapping(mapping).items():
        if key not in names:
            near = get_close_matches(key, names, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(named)}."
            raise ConfigError(f"The mapping {mapping} speaks of '{key}', which the set does not have; {hint}")
        meanings[names[key]] = known_meaning(word, f"The mapping {mapping}, '{key}'")
    return meanings


def _read_mapping(path: Path) -> dict[str, str]:
    """Words by label name or number, from JSON or YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The mapping {path} cannot be read: {error.strerror}.") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            import yaml
        except ModuleNotFoundError:
            raise ConfigError(
                f"The mapping {path} is YAML, which needs PyYAML; install it with pip install 'vertseg[train]' or "
                "write the mapping as JSON."
            ) from None
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"The mapping {path} is not YAML: {' '.join(str(error).split())}.") from None
    else:
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"The mapping {path} is not JSON: {error}.") from None
    if not isinstance(content, dict) or not all(isinstance(word, str) for word in content.values()):
        raise ConfigError(f'The mapping {path} must give words by label, such as {{"spine_l1": "L1"}}.')
    return {str(key): word for key, word in content.items()}
