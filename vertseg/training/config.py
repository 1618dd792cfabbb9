"""Reading recipes: YAML and overrides into typed dataclasses, with unknown keys named and mended."""

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from jsonargparse import ArgumentParser

from vertseg.errors import ConfigError
from vertseg.training.recipes import ExamineRecipe, LocateRecipe, Recipe


def load_recipe(task: str, path: Path, overrides: list[str]) -> Recipe:
    """The recipe in a YAML file, with `key=value` overrides ("data.loading.batch_size=2").

    Raises:
        ConfigError: the file cannot be read, a key is not known, or a value is not of its type.
    """
    kind: type[Recipe] = LocateRecipe if task == "locate" else ExamineRecipe
    content = _read(path)
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator:
            raise ConfigError(
                f"'{override}' is no override; write key=value, such as optimisation.max_steps=100."
            )
        _put(content, key.strip(), yaml.safe_load(value))
    known = known_keys(kind)
    for key in _flat(content):
        if key not in known:
            raise ConfigError(_unknown(key, known, path))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--recipe", type=kind)
    try:
        parsed = parser.parse_object({"recipe": content})
        recipe = parser.instantiate(parsed).recipe
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} does not fit the {task} recipe: {reason}") from None
    if not isinstance(recipe, kind):
        raise ConfigError(f"{path} is empty or not a {task} recipe.")
    return recipe


def known_keys(kind: type) -> set[str]:
    """Dotted names of every field of a dataclass and of the dataclasses in it."""
    hints, keys = get_type_hints(kind), set()
    for field in dataclasses.fields(kind):
        keys.add(field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            keys |= {f"{field.name}.{inner}" for inner in known_keys(hints[field.name])}
    return keys


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold keys and values.")
    return content


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = content.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"'{key}' is not a key: '{parent}' holds a value.")
        content = inner
    content[last] = value


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in content.items():
        keys.append(f"{prefix}{name}")
        if isinstance(value, Mapping):
            keys += _flat(value, f"{prefix}{name}.")
    return keys


def _unknown(key: str, known: set[str], path: Path) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    tails = {name.rpartition(".")[2]: name for name in sorted(known)}
    alike = difflib.get_close_matches(key.rpartition(".")[2], tails, n=1, cutoff=0.75)
    nearest = tails[alike[0]] if alike else near[0]
    return f"'{key}' in {path} is not a known key; the nearest known key is '{nearest}'."
