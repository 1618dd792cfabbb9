"""Frozen dataclasses of a plan as plain values that JSON can hold."""

import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

import numpy as np

_DIGITS: Final = 4


def plain(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, numbers rounded; arrays and bytes are left out of objects.

    A number that is not finite cannot be measured and becomes null.
    """
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, (float, np.floating)):
        return round(float(value), _DIGITS) if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return plain(value.item())
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: getattr(value, f.name) for f in fields(value)}
        return {name: plain(v) for name, v in named.items() if not _is_bulk(v)}
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    raise TypeError(f"{type(value).__name__} is no plain value")


def _is_bulk(value: Any) -> bool:
    """Arrays, bytes, and dataclasses that hold arrays, such as a map for a picture."""
    if isinstance(value, (np.ndarray, bytes)):
        return True
    return is_dataclass(value) and any(isinstance(getattr(value, f.name), np.ndarray) for f in fields(value))
