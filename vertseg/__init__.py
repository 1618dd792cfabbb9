"""vertseg: vertebrae and the bone that is missing from them, on spine CT before and after vertebroplasty.

`vertseg.predict` is the whole path from a scan to findings; `vertseg.Volume` and `vertseg.Grid` carry
arrays with their place in the patient. Importing this package loads neither torch nor any other large library.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vertseg.inference.findings import Findings as Findings
    from vertseg.inference.findings import VertebraFindings as VertebraFindings
    from vertseg.inference.options import PredictOptions as PredictOptions
    from vertseg.inference.pipeline import predict as predict
    from vertseg.volume import Grid as Grid
    from vertseg.volume import Volume as Volume

_HOMES = {
    "predict": "vertseg.inference.pipeline",
    "PredictOptions": "vertseg.inference.options",
    "Findings": "vertseg.inference.findings",
    "VertebraFindings": "vertseg.inference.findings",
    "Grid": "vertseg.volume",
    "Volume": "vertseg.volume",
}

__all__ = ["Findings", "Grid", "PredictOptions", "VertebraFindings", "Volume", "__version__", "predict"]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vertseg' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
