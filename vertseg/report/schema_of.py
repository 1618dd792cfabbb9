"""JSON schema of frozen dataclasses as `plain` writes them, with their docstrings' sentences as descriptions."""

import re
import types
import typing
from dataclasses import fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

_PLAIN = {float: "number", int: "integer", str: "string", bool: "boolean"}


def definitions(*roots: type) -> dict[str, Any]:
    """`$defs` of dataclasses and of all that they hold, by the classes' names."""
    found: dict[str, Any] = {}
    for root in roots:
        schema_of(root, found)
    return dict(sorted(found.items()))


def schema_of(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Schema of a type; the dataclasses that it refers to are added to `found`.

    Raises:
        TypeError: the type is none that `plain` writes.
    """
    if isinstance(kind, type) and kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in found:
            found[kind.__name__] = {}
            found[kind.__name__] = _object(kind, found)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _either(arguments, found)
    if origin in (tuple, list):
        return _array(arguments, found)
    if origin in (dict, typing.Mapping) or getattr(origin, "__name__", "") == "Mapping":
        return {"type": "object", "additionalProperties": schema_of(arguments[1], found)}
    raise TypeError(f"{kind} has no place in a report")


def _either(arguments: tuple[Any, ...], found: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "null"} if a is type(None) else schema_of(a, found) for a in arguments]}


def _array(arguments: tuple[Any, ...], found: dict[str, Any]) -> dict[str, Any]:
    items = schema_of(arguments[0], found)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": items}
    return {"type": "array", "items": items, "minItems": len(arguments), "maxItems": len(arguments)}


def _object(kind: type, found: dict[str, Any]) -> dict[str, Any]:
    hints, said = get_type_hints(kind), _described(kind)
    shown = {f.name: hints[f.name] for f in fields(kind) if not _is_bulk(hints[f.name])}
    properties = {}
    for name, hint in shown.items():
        about = {"description": said[name]} if name in said else {}
        properties[name] = {**about, **schema_of(hint, found)}
    summary = (kind.__doc__ or "").strip().split("\n")[0]
    return {
        "description": summary,
        "type": "object",
        "additionalProperties": False,
        "required": list(shown),
        "properties": properties,
    }


def _is_bulk(hint: Any) -> bool:
    """What `plain` leaves out: arrays, bytes, and dataclasses of arrays."""
    kinds = [k for k in (get_args(hint) or (hint,)) if k is not type(None)]
    return any(_holds_array(k) for k in kinds)


def _holds_array(kind: Any) -> bool:
    if kind is bytes or kind is np.ndarray or get_origin(kind) is np.ndarray:
        return True
    return is_dataclass(kind) and any(get_origin(h) is np.ndarray for h in get_type_hints(kind).values())


def _described(kind: type) -> dict[str, str]:
    """Sentences of the docstring's "Attributes", by name; several names can share one."""
    text = (kind.__doc__ or "").partition("Attributes:\n")[2]
    said: dict[str, str] = {}
    for match in re.finditer(r"^ {8}(\w[\w, ]*): (.+(?:\n {12,}.+)*)", text, re.MULTILINE):
        for name in match[1].split(","):
            said[name.strip()] = " ".join(match[2].split())
    return said
