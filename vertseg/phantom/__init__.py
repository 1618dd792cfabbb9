"""Synthetic spines with every label, to learn from and to test on."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertseg.phantom.crop import render_crop as render_crop
    from vertseg.phantom.render import render_scan as render_scan
    from vertseg.phantom.types import ExamineCrop as ExamineCrop
    from vertseg.phantom.types import PhantomScan as PhantomScan
    from vertseg.phantom.types import PhantomVertebra as PhantomVertebra
    from vertseg.phantom.types import ScanConfig as ScanConfig

_HOMES = {
    "ExamineCrop": "vertseg.phantom.types",
    "PhantomScan": "vertseg.phantom.types",
    "PhantomVertebra": "vertseg.phantom.types",
    "ScanConfig": "vertseg.phantom.types",
    "render_crop": "vertseg.phantom.crop",
    "render_scan": "vertseg.phantom.render",
}

__all__ = ["ExamineCrop", "PhantomScan", "PhantomVertebra", "ScanConfig", "render_crop", "render_scan"]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used: the command's help needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'vertseg.phantom' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
