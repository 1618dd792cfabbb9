"""Synthetic spines with every label, to learn from and to test on."""

from vertseg.phantom.crop import render_crop
from vertseg.phantom.render import render_scan
from vertseg.phantom.types import ExamineCrop, PhantomScan, PhantomVertebra, ScanConfig

__all__ = ["ExamineCrop", "PhantomScan", "PhantomVertebra", "ScanConfig", "render_crop", "render_scan"]
